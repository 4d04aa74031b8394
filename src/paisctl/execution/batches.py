"""Which stacks are applied before which others, so that a mistake reaches few hosts. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from paisctl.desired import Key


@dataclass(frozen=True, slots=True)
class Pace:
    """How many hosts are changed at once, and when that ends.

    Attributes:
        canaries: the hosts that are changed first, before all others.
        max_parallel: how many hosts may be inside a stack at once; None for all.
        max_failures: how many hosts may fail before nothing more begins; None for any number.
        pause: seconds between two batches.
    """

    canaries: tuple[str, ...] = ()
    max_parallel: int | None = None
    max_failures: int | None = None
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Stacks that are applied side by side, as far as they do not need one another.

    `devices` are the hosts that the batch is for; `brought` those that only have something that
    these need.
    """

    stacks: frozenset[Key]
    devices: tuple[str, ...]
    brought: tuple[str, ...] = ()
    is_canary: bool = False


def divide(needs: Mapping[Key, Collection[Key]], pace: Pace) -> tuple[Batch, ...]:
    """The batches of a plan, in their order.

    First the canaries with everything they need, then the other hosts, those that others need first,
    `max_parallel` of them at a time. Whatever a batch needs is in it, or in one before: also where
    hosts need one another in a circle.

    Args:
        needs: for each stack of the plan what it needs, in the order of the inventory.
        pace: how many at once.
    """
    left = dict(needs)
    canary = _take(left, pace.canaries, is_canary=True)
    batches = [canary] if canary.stacks else []
    hosts = _in_order_of_need(left)
    while hosts:
        batches.append(_take(left, hosts[: pace.max_parallel]))
        remaining = {device for device, _ in left}
        hosts = [device for device in hosts if device in remaining]
    return tuple(batches)


def _take(
    left: dict[Key, Collection[Key]], devices: Collection[str], *, is_canary: bool = False
) -> Batch:
    """Take all stacks of some hosts, and what these need, out of those that are left."""
    wanted = set(_with_needs((key for key in left if key[0] in devices), left))
    taken = [key for key in left if key in wanted]
    for key in taken:
        del left[key]
    hosts = dict.fromkeys(device for device, _ in taken)
    return Batch(
        frozenset(taken),
        tuple(device for device in hosts if device in devices),
        tuple(device for device in hosts if device not in devices),
        is_canary,
    )


def _with_needs(keys: Iterable[Key], needs: Mapping[Key, Collection[Key]]) -> Iterator[Key]:
    seen: set[Key] = set()
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key in needs and key not in seen:
            seen.add(key)
            yield key
            waiting += needs[key]


def _in_order_of_need(needs: Mapping[Key, Collection[Key]]) -> list[str]:
    """The hosts, each after those it needs; a circle is entered where the inventory begins it."""
    needed: dict[str, dict[str, None]] = {}
    for (device, _), keys in needs.items():
        needed.setdefault(device, {}).update(
            dict.fromkeys(d for d, name in keys if (d, name) in needs)
        )
    order: dict[str, None] = {}
    seen: set[str] = set()

    def visit(device: str) -> None:
        if device not in seen:
            seen.add(device)
            for other in needed[device]:
                visit(other)
            order[device] = None

    for device in needed:
        visit(device)
    return list(order)
