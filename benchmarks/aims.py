"""What was aimed at, and whether the figures reach it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from benchmarks.cases import CHANGED_TAG, NOOP_PLAN, SLOW_HOST
from benchmarks.results import Part, Results

OURS = "paisctl"
# For a no-op plan: the peer, and how many times our time its time should be at least.
_PEERS = (("shell script", 1.0), ("pyinfra", 2.0), ("Ansible", 15.0))
_SAME = 1.1  # times; what is less apart than that is called the same


@dataclass(frozen=True, slots=True)
class Verdict:
    """An aim, on what it was measured, and how far it was reached; `found` is empty without figures."""

    aim: str
    hosts: str = ""
    found: str = ""
    is_reached: bool = False


def verdicts(results: Results) -> list[Verdict]:
    """All aims of the project, in its order; those that nothing was measured for, too."""
    return [
        *(each for peer, aim in _PEERS for each in _against(results, peer, aim)),
        _growth(results),
        *_unhindered(results),
    ]


def others_slowed(even: Part, uneven: Part) -> float | None:
    """How many times as long the other hosts take when one is slow."""
    if not even.others or not uneven.others:
        return None
    return median(uneven.others) / median(even.others)


def _against(results: Results, peer: str, aim: float) -> Iterator[Verdict]:
    text = f"No-op plan: {peer} takes at least {aim:g} times as long"
    sizes = [
        size for size in results.sizes() if {OURS, peer} <= results.get(size, NOOP_PLAN.name).keys()
    ]
    for size in sizes:
        parts = results.get(size, NOOP_PLAN.name)
        times = parts[peer].seconds / parts[OURS].seconds
        found = f"{parts[peer].seconds:.2f} s to {parts[OURS].seconds:.2f} s: {times:.2f} times"
        yield Verdict(text, str(size), found, times >= aim)
    if not sizes:
        yield Verdict(text)


def _growth(results: Results) -> Verdict:
    """Whether a host costs no more among many than among few."""
    text = f"No-op plan: a host takes no longer among many (at most {_SAME:g} times)"
    each = {
        size: results.get(size, NOOP_PLAN.name)[OURS].seconds / size * 1000
        for size in results.sizes()
        if OURS in results.get(size, NOOP_PLAN.name)
    }
    if len(each) < 2:
        return Verdict(text)
    few, many = min(each), max(each)
    found = f"{each[few]:.0f} ms, then {each[many]:.0f} ms: {each[many] / each[few]:.2f} times"
    return Verdict(text, f"{few}, {many}", found, each[many] <= each[few] * _SAME)


def _unhindered(results: Results) -> Iterator[Verdict]:
    """Whether all others have their new container as soon as without a slow host among them."""
    text = f"One slow host does not slow the others (at most {_SAME:g} times)"
    found_any = False
    for size in results.sizes():
        even = results.get(size, CHANGED_TAG.name).get(OURS)
        uneven = results.get(size, SLOW_HOST.name).get(OURS)
        times = others_slowed(even, uneven) if even and uneven else None
        if even and uneven and times is not None:
            found_any = True
            found = f"{median(even.others):.2f} s, then {median(uneven.others):.2f} s: {times:.2f} times"
            yield Verdict(text, str(size), found, times <= _SAME)
    if not found_any:
        yield Verdict(text)
