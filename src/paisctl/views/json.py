"""Plans and states as JSON. `docs/reference/json.md` describes the keys; `format` counts up."""

from __future__ import annotations

import json
import re
from typing import Any

from paisctl.hold import Hold
from paisctl.owing import Owed
from paisctl.plan import Action, Cause, Change, HostPlan, Plan, PolicyPlan, count
from paisctl.revision import Then

FORMAT = 1

_ACTIONS = {action: action.name.lower() for action in Action}


def plan(plan: Plan, then: Then | None = None) -> str:
    """A plan as one JSON document, with a line end; `then` is the revision that it starts from."""
    hosts = [_host(host) for host in plan.hosts]
    policy = _policy(plan.policy) if plan.policy else None
    document = {"format": FORMAT, "summary": _summary(plan), "hosts": hosts, "policy": policy}
    if then:
        notes = list(then.notes)
        document["base"] = {"revision": then.revision, "commit": then.commit, "notes": notes}
    return dump(document)


# What JSON lets stand as it is, and a terminal obeys: more control characters, and those that
# change the direction of a text.
_STEERING = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def dump(document: Any) -> str:
    """A document as text with a line end, safe to be shown."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def _summary(plan: Plan) -> dict[str, Any]:
    """How much there is of what; every cause and action is there, so that a sum needs no care."""
    actions = count(plan.changes)
    causes = [change.cause for change in plan.changes]
    return {
        "hosts": len(plan.hosts),
        "hosts_changing": len(plan.changing),
        "hosts_not_planned": len(plan.problems),
        "hosts_asleep": len(plan.asleep),
        "stacks_refused": len(plan.refused),
        "changes": len(plan.changes),
        "by_action": {name: actions.get(action, 0) for action, name in _ACTIONS.items()},
        "by_cause": {str(cause): causes.count(cause) for cause in Cause},
    }


def _host(host: HostPlan) -> dict[str, Any]:
    return {
        "device": host.device,
        "problem": host.problem or None,
        "hint": host.hint or None,
        "asleep": host.asleep or None,
        "owed": owed(host.owed) if host.owed else None,
        "notes": list(host.notes),
        "held": [hold(each.hold) | {"changes": len(each.changes)} for each in host.held],
        "refused": [
            {"stack": each.address.name, "problem": each.problem, "hint": each.hint or None}
            for each in host.refused
        ],
        "stacks": [
            {
                "name": stack.name,
                "changes": [_change(change) for change in stack.changes],
                "operations": [str(operation) for operation in stack.operations],
                "needs": ["/".join(need) for need in stack.needs],
            }
            for stack in host.stacks
        ],
    }


def owed(owed: Owed) -> dict[str, Any]:
    """What a host that is asleep has yet to be given."""
    return {
        "stacks": dict(owed.stacks),
        "since": owed.since or None,
        "as_of": owed.as_of or None,
    }


def hold(hold: Hold) -> dict[str, Any]:
    """A hold; of a whole device without a stack, a damaged one without all else."""
    return {
        "stack": hold.stack or None,
        "until": hold.end or None,
        "who": hold.who or None,
        "machine": hold.machine or None,
        "reason": hold.reason or None,
    }


def _policy(policy: PolicyPlan) -> dict[str, Any]:
    return {
        "problem": policy.problem or None,
        "hint": policy.hint or None,
        "notes": list(policy.notes),
        "changes": [_change(change) for change in policy.changes],
        "gains": list(policy.gains),
        "losses": list(policy.losses),
    }


def _change(change: Change) -> dict[str, Any]:
    mark = change.mark
    source = {"file": mark.file, "line": mark.line, "column": mark.column} if mark else None
    return {
        "address": str(change.address),
        "action": _ACTIONS[change.action],
        "subject": change.subject,
        "field": change.field or None,
        "live": change.before or None,
        "wanted": change.after or None,
        "cause": str(change.cause),
        "reason": change.reason or None,
        "disruption": str(change.disruption),
        "source": source,
        "downloads": change.downloads or None,
        "diff": change.diff or None,
    }
