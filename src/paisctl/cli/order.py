"""Which hosts come first, how many at once, and when that ends: what flags and inventory say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.errors import PaisctlError, UsageError

if TYPE_CHECKING:
    from paisctl.execution.batches import Pace
    from paisctl.inventory.load import Fleet
    from paisctl.plan import HostPlan, Plan

Canary = Annotated[
    list[str] | None,
    typer.Option(
        "--canary",
        help="Change this device first; when it fails, no other is changed. May be repeated. "
        "Default: `apply.canary` of the inventory.",
        metavar="DEVICE",
        show_default=False,
    ),
]
MaxParallel = Annotated[
    int | None,
    typer.Option(
        "--max-parallel",
        min=1,
        help="Change so many hosts at once, batch after batch. Default: `apply.max_parallel`.",
        metavar="N",
        show_default=False,
    ),
]
MaxFailures = Annotated[
    int | None,
    typer.Option(
        "--max-failures",
        min=0,
        help="Begin nothing more once more than so many hosts have failed. "
        "Default: `apply.max_failures`.",
        metavar="N",
        show_default=False,
    ),
]
Pause = Annotated[
    str | None,
    typer.Option(
        "--pause",
        help="Rest so long between two batches, such as 30s or 5m. Default: `apply.pause`.",
        metavar="DURATION",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line says of the order; the inventory says what it leaves open."""

    canaries: tuple[str, ...] = ()
    max_parallel: int | None = None
    max_failures: int | None = None
    pause: float | None = None


def order_of(
    canary: Sequence[str] | None,
    max_parallel: int | None,
    max_failures: int | None,
    pause: str | None,
) -> Order:
    """The order that options ask for.

    Raises:
        UsageError: the pause is no duration.
    """
    from paisctl.cli.context import seconds_of

    seconds = None if pause is None else seconds_of("--pause", pause)
    return Order(tuple(canary or ()), max_parallel, max_failures, seconds)


def settle(plan: Plan, order: Order, fleet: Fleet, command: str, *, atomic: bool) -> Pace:
    """Settle in which order a plan is carried out, and say so.

    Args:
        plan: what is going to be done.
        order: what the command line says.
        fleet: the inventory, for what it leaves open.
        command: the one that carries it out; only `apply` has flags for the order.
        atomic: whether all hosts go back when one fails, so that none need begin after that.

    Raises:
        UsageError: a canary of the command line has nothing to change, or a pause has no batches.
        PaisctlError: a canary of the inventory could not be read.
    """
    from paisctl.execution.batches import Pace, divide
    from paisctl.execution.coordinate import needs_within
    from paisctl.inventory.types import parse_duration
    from paisctl.views import order as view

    settings = fleet.inventory.apply
    changing = [host.device for host in plan.hosts if host.stacks]
    if not changing:
        return Pace()
    if order.canaries:
        _require(order.canaries, plan, changing, fleet)
    canaries = order.canaries or tuple(_of_inventory(plan, changing, fleet, command))
    max_parallel = order.max_parallel or settings.max_parallel
    if order.pause and not (canaries or max_parallel):
        raise UsageError("--pause is a rest between batches", "add --canary or --max-parallel")
    failures = settings.max_failures if order.max_failures is None else order.max_failures
    if failures is None and atomic and (canaries or max_parallel):
        failures = 0
    pause = parse_duration(settings.pause) if order.pause is None else order.pause
    pace = Pace(canaries, max_parallel, failures, pause)
    typer.echo(view.as_text(divide(needs_within(plan), pace), pace), nl=False)
    return pace


def _require(names: Sequence[str], plan: Plan, changing: Sequence[str], fleet: Fleet) -> None:
    """Insist on that the canaries of the command line have something to change."""
    from paisctl.diagnostics import did_you_mean

    hosts = {host.device: host for host in plan.hosts}
    for name in names:
        if name not in fleet.devices:
            hint = did_you_mean(name, fleet.devices, "devices")
            raise UsageError(f"there is no device `{name}` in the inventory", hint)
        why = _why_left_out(hosts[name], plan) if name in hosts else "is not part of this plan"
        if not why and name not in changing:
            why = "has nothing to change"
        if why:
            raise UsageError(f"the canary {name} {why}", f"these change: {', '.join(changing)}")


def _of_inventory(plan: Plan, changing: Sequence[str], fleet: Fleet, command: str) -> Iterator[str]:
    """The inventory's canaries that have something to change; it is said which have not."""
    hosts = {host.device: host for host in plan.hosts}
    for name in dict.fromkeys(fleet.inventory.apply.canary):
        host = hosts.get(name)
        if left_out := host and _why_left_out(host, plan):
            others = [device for device in changing if device != name]
            hint = f"try it on another one first: --canary {others[0]}"
            if command != "apply":
                hint = f"mend it, or name the devices to go ahead with: paisctl {command} DEVICE …"
            raise PaisctlError(f"the canary {name} {left_out}, so nothing begins", hint)
        if name in changing:
            yield name
        else:
            why = "has nothing to change" if host else "is not among the devices chosen"
            typer.echo(f"The canary {name} {why}.")


def _why_left_out(host: HostPlan, plan: Plan) -> str:
    """Why what others get cannot be tried on a host first; empty if it can, or is not due there."""
    if host.asleep:
        return "is asleep"
    if host.problem:
        return "could not be read"
    elsewhere = {s.name for other in plan.hosts if other is not host for s in other.stacks}
    held = {change.address.name for each in host.held for change in each.changes}
    refused = {each.address.name for each in host.refused}
    for stacks, what in ((held, "held"), (refused, "refused")):
        if untried := sorted(stacks & elsewhere):
            return f"has {', '.join(untried)} {what}"
    return ""
