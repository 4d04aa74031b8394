"""A plan as a person reads it. Colour repeats what the signs already say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby, takewhile

from rich.text import Text

from paisctl.owing import Owed
from paisctl.plan import (
    LEFT_ALONE,
    Action,
    Cause,
    Change,
    Disruption,
    HostPlan,
    Plan,
    PolicyPlan,
    count,
)
from paisctl.revision import Then
from paisctl.views.console import minute, plural, render

_STYLES = {
    Action.CREATE: "green",
    Action.UPDATE: "yellow",
    Action.MEND: "magenta",
    Action.DELETE: "red",
}
UNSEEN = "Drift and new secrets show on hosts only."
_LONG = 72
_AROUND = 16
_WORDS = {
    Action.CREATE: "to create",
    Action.UPDATE: "to change",
    Action.MEND: "to mend",
    Action.DELETE: "to remove",
}


def plan(plan: Plan, *, show_diffs: bool = False, then: Then | None = None) -> str:
    """A plan, host by host, ending with a line that sums it up.

    Args:
        plan: the plan.
        show_diffs: whether to show changed files line by line.
        then: the revision that it starts from; None if it starts from the hosts.
    """
    return render(_plan_lines(plan, show_diffs, then))


def _plan_lines(plan: Plan, show_diffs: bool, then: Then | None) -> Iterator[Text]:
    if then:
        commit = "".join(f" ({name})" for name in then.names[1:])
        yield Text(f"Against {then.revision}{commit}. {UNSEEN}")
        yield from (Text(f"note: {note}") for note in then.notes)
        yield Text()
    for host in plan.hosts:
        yield from _host_lines(host, show_diffs)
    if plan.policy:
        yield from policy_lines(plan.policy, show_diffs=show_diffs)
    yield Text(summary(plan, then), "bold")


def _host_lines(host: HostPlan, show_diffs: bool) -> Iterator[Text]:
    if host.problem:
        yield Text.assemble(("? ", "red"), (f"{host.device}  ", "bold"), host.problem)
        if host.hint:
            yield Text(f"    hint: {host.hint}")
        yield Text()
    if host.asleep:
        yield from asleep_lines(host)
        yield Text()
    for refusal in host.refused:
        where = (f"{refusal.address}  ", "bold")
        yield Text.assemble(("? ", "red"), where, refusal.problem)
        if refusal.hint:
            yield Text(f"    hint: {refusal.hint}")
        yield Text()
    for note in (*map(str, host.held), *host.notes):
        yield Text.assemble("  ", (f"{host.device}  ", "bold"), f"note: {note}")
    for change in gathered(host.changes):
        yield headline(change)
        yield Text(f"    {why(change)}", "dim")
        if show_diffs and change.diff:
            yield from (_diff_line(line) for line in change.diff.splitlines())
    if host.changes:
        yield Text()


def asleep_lines(host: HostPlan) -> Iterator[Text]:
    """A host that is asleep, and what it owes."""
    yield Text.assemble(("z ", "cyan"), (f"{host.device}  ", "bold"), f"asleep: {host.asleep}")
    yield from (Text(f"    {line}", "dim") for line in owed_words(host.owed))


def owed_words(owed: Owed | None) -> list[str]:
    """What a host that is asleep has yet to be given, in a line or two."""
    if owed is None:
        return ["what it owes is not known until it wakes"]
    stacks = ", ".join(f"{name} ({how})" for name, how in owed.stacks) or "nothing"
    since = f" since {minute(owed.since)} UTC" if owed.since else ""
    as_of = [f"as of its last apply, {minute(owed.as_of)} UTC"] if owed.as_of else []
    return [f"owes {stacks}{since}", *as_of]


def policy_lines(policy: PolicyPlan, *, show_diffs: bool = False) -> Iterator[Text]:
    """The access policy: its changes, and what they mean to whom."""
    if policy.problem:
        yield Text.assemble(("? ", "red"), ("tailnet  ", "bold"), policy.problem)
        if policy.hint:
            yield Text(f"    hint: {policy.hint}")
        yield Text()
    for note in policy.notes:
        yield Text.assemble("  ", ("tailnet  ", "bold"), f"note: {note}")
    for change in policy.changes:
        yield headline(change)
        yield Text(f"    {why(change)}", "dim")
        if show_diffs and change.diff:
            yield from (_diff_line(line) for line in change.diff.splitlines())
    if policy.changes:
        yield from access_lines(policy.gains, policy.losses)
        yield Text()


def access_lines(gains: Iterable[str], losses: Iterable[str]) -> Iterator[Text]:
    """Who will reach what, and who no longer; nothing changes for anybody else."""
    lines = [*((f"  + {words}", "green") for words in gains)]
    lines += [(f"  - {words}", "red") for words in losses]
    yield Text("  access:" if lines else "  access: nobody gains or loses anything")
    yield from (Text(line, style) for line, style in lines)


def gathered(changes: Iterable[Change]) -> Iterator[Change]:
    """New files of one stack become one line: what is new as a whole needs no list of parts."""
    for _, group in groupby(changes, key=lambda c: (c.address, _is_new_file(c) or id(c))):
        first, *others = group
        if others:
            names = [change.subject.removeprefix("file ") for change in (first, *others)]
            first = replace(first, subject=f"files {', '.join(names)}")
        yield first


def _is_new_file(change: Change) -> bool:
    return change.action is Action.CREATE and change.subject.startswith("file ") and not change.diff


def headline(change: Change) -> Text:
    """What changes, on one line: sign, address, subject, values."""
    what = f"{change.subject} {change.field}".rstrip()
    return Text.assemble(
        (f"{change.action} ", _STYLES[change.action]),
        (str(change.address), "bold"),
        f"  {what}",
        (f"  {values(change)}" if change.before or change.after else ""),
    )


def values(change: Change) -> str:
    """What a field was and what it becomes, on one line; of long texts where they differ."""
    before, after = _shortened(change.before, change.after)
    if not (before and after):
        return after or before
    if change.action is Action.MEND:
        where = "in force" if change.address.kind == "policy" else "on the host"
        return f"{after} → {before} {where}"
    return f"{before} → {after}"


def _shortened(before: str, after: str) -> tuple[str, str]:
    """Two values on one line; of long ones only where they differ, with a little around it."""
    before, after = " ".join(before.split()), " ".join(after.split())
    if len(before) + len(after) <= _LONG or not before or not after:
        return before, after
    start = _alike(before, after)
    end = _alike(before[start:][::-1], after[start:][::-1])
    return _excerpt(before, start, end), _excerpt(after, start, end)


def _alike(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _excerpt(text: str, start: int, end: int) -> str:
    first, last = max(0, start - _AROUND), min(len(text), len(text) - end + _AROUND)
    last = min(last, first + _LONG)
    middle = text[first:last]
    return f"{'…' if first else ''}{middle}{'…' if last < len(text) else ''}"


def why(change: Change) -> str:
    """Why a change is made, and what it costs."""
    cause = {
        Cause.PENDING: "" if change.mark or change.reason else "rendered differently",
        Cause.DRIFT: "drift",
        Cause.BOTH: "drift, and pending",
        Cause.ORPHAN: "orphan",
    }[change.cause]
    disruption = "" if change.disruption is Disruption.NONE else str(change.disruption)
    download = f"downloads {change.downloads}" if change.downloads else ""
    if change.field == "image" and change.after == change.downloads:
        download = "downloads it"
    where = f"{change.mark.file}:{change.mark.line}" if change.mark else ""
    said = (cause, change.reason, disruption, download, where)
    return ", ".join(part for part in said if part) or "no disruption"


def _diff_line(line: str) -> Text:
    style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
    return Text(f"      {line}", style)


def summary(plan: Plan, then: Then | None = None) -> str:
    """A plan in a sentence or two: how much changes where, and what could not be planned."""
    hosts = plural(len(plan.hosts), "host")
    unplanned = f"{plural(len(plan.problems), 'host')} could not be planned"
    refused = f"{plural(len(plan.refused), 'stack')} refused" if plan.refused else ""
    asleep = f"{plural(len(plan.asleep), 'host')} asleep" if plan.asleep else ""
    parts = (unplanned * bool(plan.problems), refused, asleep)
    left_out = ", ".join(part for part in parts if part)
    if not plan:
        if plan.hosts and len(plan.problems) == len(plan.hosts):
            return f"No plan: {unplanned}."
        rest = f"; {left_out}" if left_out else ""
        if plan.policy and plan.policy.problem:
            rest += "; the access policy could not be planned"
        if _leaves_alone(plan):
            return f"Nothing to do but what is left alone{rest}."
        whole = sum(not (host.problem or host.refused or host.asleep) for host in plan.hosts)
        if plan.hosts and len(plan.asleep) == len(plan.hosts):
            return f"Nothing to do{rest}."
        what = plural(whole, "host") if plan.hosts else "the access policy is"
        same = f"as at {then.revision}" if then else "as wanted"
        return f"Nothing to do: {what} {same}{rest}."
    counts = ", ".join(f"{n} {_WORDS[action]}" for action, n in count(plan.changes).items())
    rest = f" {left_out}." if left_out else ""
    where = [f"on {len(plan.changing)} of {hosts}"] if plan.changing or not plan.policy else []
    if plan.policy and plan.policy.changes:
        where.append("in the access policy")
    if plan.policy and plan.policy.problem:
        rest += " The access policy could not be planned."
    return f"Plan: {counts} {' and '.join(where)}.{rest}"


def _leaves_alone(plan: Plan) -> bool:
    """Whether there is more to do than is planned."""
    return bool(plan.held_changes) or any(note.startswith(LEFT_ALONE) for note in _notes(plan))


def _notes(plan: Plan) -> Iterator[str]:
    """What is said beside the changes of hosts and of the access policy."""
    for host in plan.hosts:
        yield from host.notes
    if plan.policy:
        yield from plan.policy.notes
