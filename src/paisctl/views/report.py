"""How an apply ended, as a person reads it, with what to do about what went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from rich.text import Text

from paisctl.events import HostResult, Outcome, StackEnded
from paisctl.report import Report
from paisctl.views.console import plural, render
from paisctl.views.human import headline

_SIGNS = {
    Outcome.APPLIED: ("✓ ", "green"),
    Outcome.FAILED: ("✗ ", "red"),
    Outcome.SKIPPED: ("- ", "yellow"),
    Outcome.ROLLED_BACK: ("✗ ", "red"),
    Outcome.STRANDED: ("✗ ", "red"),
}
_COUNTED = {
    Outcome.APPLIED: "applied",
    Outcome.FAILED: "failed",
    Outcome.SKIPPED: "skipped",
    Outcome.ROLLED_BACK: "rolled back",
    Outcome.STRANDED: "stranded between two generations",
}


_FORWARD: Mapping[str, int] = MappingProxyType({})


def as_text(report: Report, back_to: Mapping[str, int] = _FORWARD) -> str:
    """A report, stack by stack, ending with a line that sums it up.

    Args:
        report: how it ended.
        back_to: the generations that the hosts were to go back to; empty for an apply.
    """
    return render(_lines(report, back_to))


def _lines(report: Report, back_to: Mapping[str, int]) -> Iterator[Text]:
    if report.held_back:
        yield from _held_back(report)
        return
    untouched = _untouched(report)
    left = [host.device for hosts in untouched.values() for host in hosts]
    for result in (each for each in report.results.values() if each.device not in left):
        for end in result.stacks.values():
            yield from _end_lines(end, result, _next(end, report, back_to))
        if result.problem:
            yield from _broken_off(result)
    yield from _untouched_lines(untouched)
    yield from _unplanned(report)
    for change in report.unproven.changes:
        yield Text.assemble(("! ", "red"), "applied, but it still differs:")
        yield headline(change)
    for change in report.unrestored.changes:
        yield Text.assemble(("! ", "red"), "rolled back, but not as it was before:")
        yield headline(change)
    yield Text(_verdict(report), "bold")


def _untouched(report: Report) -> dict[str, list[HostResult]]:
    """The hosts on which nothing has begun since the run was stopped, by the reason for that."""
    hosts: dict[str, list[HostResult]] = {}
    for result in report.results.values():
        ends = {(end.outcome, end.message) for end in result.stacks.values()}
        if result.stopped and ends == {(Outcome.SKIPPED, result.stopped)} and not result.problem:
            hosts.setdefault(result.stopped, []).append(result)
    return hosts


def _untouched_lines(untouched: Mapping[str, list[HostResult]]) -> Iterator[Text]:
    """A line for each reason, however many hosts there are."""
    for reason, hosts in untouched.items():
        stacks = plural(sum(len(host.stacks) for host in hosts), "stack")
        names = ", ".join(host.device for host in hosts)
        yield Text.assemble(_SIGNS[Outcome.SKIPPED], (names, "bold"), f"  {stacks} skipped")
        yield Text(f"    {reason}")


def _unplanned(report: Report) -> Iterator[Text]:
    """The hosts that were left out: why they were stands in the plan, which is far above by now."""
    if devices := [host.device for host in report.plan.problems]:
        said = "  could not be planned, so nothing was done there"
        yield Text.assemble(("? ", "red"), (", ".join(devices), "bold"), said)
        yield Text(f"    next: paisctl plan {' '.join(devices)}")


def _held_back(report: Report) -> Iterator[Text]:
    """Nothing has begun anywhere, for one reason."""
    for result in report.results.values():
        if result.problem:
            yield from _broken_off(result)
    yield Text("Not done: nothing was changed.", "bold")


def _broken_off(result: HostResult) -> Iterator[Text]:
    yield Text.assemble(("? ", "red"), (f"{result.device}  ", "bold"), result.problem)
    if result.changing:
        yield Text(
            f"    it was changing `{result.changing}`; "
            "unless its run was ended there, it goes on or goes back by itself"
        )
        yield Text(f"    next: paisctl status {result.device}")
    else:
        yield Text(f"    next: {result.hint or f'paisctl plan {result.device}'}")


def _end_lines(end: StackEnded, result: HostResult, following: str) -> Iterator[Text]:
    address = f"{end.device}/compose:{end.stack}"
    yield Text.assemble(_SIGNS[end.outcome], (address, "bold"), f"  {_said(end, result)}")
    if end.message:
        yield Text(f"    {end.message}")
    for line in end.log:
        yield Text(f"    | {line}", "dim")
    if end.step or end.outcome is Outcome.FAILED:
        yield Text(f"    next: {following}")


def _said(end: StackEnded, result: HostResult) -> str:
    at = f"; it failed at: {end.step}" if end.step else ""
    match end.outcome:
        case Outcome.APPLIED:
            return "applied and read back"
        case Outcome.FAILED:
            return f"failed at: {end.step}" if end.step else "failed"
        case Outcome.ROLLED_BACK:
            return f"rolled back to generation {result.generation}{at}"
        case Outcome.STRANDED:
            return f"stranded: neither as planned nor as before{at}"
        case Outcome.SKIPPED:
            return "skipped"


def _next(end: StackEnded, report: Report, back_to: Mapping[str, int]) -> str:
    """The command after this; only a stack that the inventory knows can be named in one."""
    is_known = (end.device, end.stack) not in report.removed
    stack = f" --stack {end.stack}" if is_known else ""
    if end.outcome is Outcome.STRANDED:
        return f"paisctl plan {end.device}; then apply, or rollback"
    if end.device in back_to:
        again = f"rollback {end.device} --to {back_to[end.device]}"
    else:
        again = f"apply {end.device}"
    return f"mend the cause, then paisctl {again}{stack}"


def _verdict(report: Report) -> str:
    ends = [end for result in report.results.values() for end in result.stacks.values()]
    counts = [(o, sum(end.outcome is o for end in ends)) for o in Outcome]
    said = ", ".join(f"{n} {_COUNTED[outcome]}" for outcome, n in counts if n)
    stacks = plural(len(ends), "stack")
    if report.succeeded:
        rest = f"; {plural(len(report.plan.asleep), 'host')} asleep" if report.plan.asleep else ""
        return f"Done: {stacks} applied on {plural(len(report.results), 'host')}{rest}."
    troubles = (
        (report.plan.problems, "could not be planned"),
        (report.unreached, "broke off"),
        (report.plan.asleep, "asleep"),
    )
    rest = "".join(f"; {plural(len(hosts), 'host')} {what}" for hosts, what in troubles if hosts)
    if report.plan.refused:
        rest += f"; {plural(len(report.plan.refused), 'stack')} refused"
    return f"Not done: of {stacks}, {said}{rest}."
