"""The access policy for people: who reaches what, why, and what of it is proven."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rich.text import Text

from paisctl.diagnostics import Mark
from paisctl.plan import PolicyPlan
from paisctl.rendering.tailnet.access import Door
from paisctl.rendering.tailnet.derive import Derived
from paisctl.rendering.tailnet.explain import Answer
from paisctl.tailnet.control import Finding, Match
from paisctl.views.console import plural, render, visible
from paisctl.views.excerpt import shown_path
from paisctl.views.human import access_lines
from paisctl.views.json import dump

FORMAT = 1


Previews = Mapping[Door, Sequence[Match]]
_UNASKED: Previews = MappingProxyType({})


def explanation(answers: Sequence[Answer], previews: Previews = _UNASKED) -> str:
    """Answers, those that are allowed with the rules and the lines of the inventory behind them.

    Args:
        answers: of the policy as it would be.
        previews: what the control plane says is about the same ports, if it was asked.
    """
    return render(_explained(answers, previews))


def _explained(answers: Sequence[Answer], previews: Previews) -> Iterator[Text]:
    for answer in answers:
        door = answer.door
        service = f" ({_called(answer)})" if answer.services else ""
        what = f"{answer.source} → {door.device} {door.protocol} {door.port}{service}"
        yield Text.assemble(
            ("+ ", "green") if answer.is_allowed else ("- ", "red"),
            (what, "bold"),
            ": allowed" if answer.is_allowed else ": nothing allows it",
        )
        if answer.why_not:
            yield Text(f"    {answer.why_not}")
        elif not answer.reasons:
            yield Text("    a device reaches itself without the tailnet")
        for reason in answer.reasons:
            section, position = reason.rule
            yield Text(f"    {section}[{position}]: {reason.title}")
            mark = reason.origin.mark
            where = f"{shown_path(mark.file)}:{mark.line}: " if mark else ""
            yield Text(f"      {where}{reason.origin.words}", "dim")
        for match in previews.get(door, ()):
            yield Text(f"    the control plane, line {match.line}: {', '.join(match.users)}", "dim")


def explanation_json(answers: Sequence[Answer], previews: Previews = _UNASKED) -> str:
    """The same for programs."""
    found = [_answer(answer, previews.get(answer.door)) for answer in answers]
    return dump({"format": FORMAT, "answers": found})


def _answer(answer: Answer, matches: Sequence[Match] | None) -> dict[str, Any]:
    return {
        "source": answer.source,
        "device": answer.door.device,
        "protocol": answer.door.protocol,
        "port": answer.door.port,
        "service": _called(answer) or None,
        "allowed": answer.is_allowed,
        "why_not": answer.why_not or None,
        "rules": [
            {
                "section": reason.rule[0],
                "index": reason.rule[1],
                "title": reason.title,
                "reason": reason.origin.words,
                "source": _place(reason.origin.mark),
            }
            for reason in answer.reasons
        ],
        "control": None
        if matches is None
        else [{"users": list(match.users), "line": match.line} for match in matches],
    }


def _called(answer: Answer) -> str:
    return " or ".join(answer.services)


def _place(mark: Mark | None) -> dict[str, Any] | None:
    return {"file": mark.file, "line": mark.line, "column": mark.column} if mark else None


def proof(derived: Derived) -> str:
    """What was proven of a policy."""
    tests = derived.tests
    accept, deny = (sum(len(getattr(test, what)) for test in tests) for what in ("accept", "deny"))
    by_hand = sum(rule.by_hand is not None for rule in derived.rules.values())
    return (
        f"{plural(len(derived.rules), 'rule')}, {by_hand} of them by hand; "
        f"{plural(len(tests), 'test')} pass: {accept} connections allowed, {deny} denied\n"
    )


def findings(control: str, found: Sequence[Finding]) -> str:
    """What a control plane says of a policy."""
    if not found:
        return f"{control} would take it\n"
    lines = (f"{'warning' if each.is_warning else 'error'}: {control}: {each}\n" for each in found)
    return visible("".join(lines))


def difference(plan: PolicyPlan) -> str:
    """Who gains and who loses what; and that rules change, should nobody notice."""
    return render(_difference(plan))


def _difference(plan: PolicyPlan) -> Iterator[Text]:
    for note in plan.notes:
        yield Text(f"note: {note}")
    yield from access_lines(plan.gains, plan.losses)
    if plan.changes and not (plan.gains or plan.losses):
        yield Text("  the policy differs all the same: paisctl acl plan")


def difference_json(plan: PolicyPlan) -> str:
    """The same for programs."""
    gains, losses = list(plan.gains), list(plan.losses)
    notes = list(plan.notes)
    return dump({"format": FORMAT, "gains": gains, "losses": losses, "notes": notes})
