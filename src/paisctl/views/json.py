"""Plans and states as JSON. `docs/reference/json.md` describes the keys; `format` counts up."""

from __future__ import annotations

import json
from typing import Any

from paisctl.plan import Change, HostPlan, Plan

FORMAT = 1

_ACTIONS = {"+": "create", "~": "update", "!": "mend", "-": "delete"}


def plan(plan: Plan) -> str:
    """A plan as one JSON document, with a line end."""
    return dump({"format": FORMAT, "hosts": [_host(host) for host in plan.hosts]})


def dump(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _host(host: HostPlan) -> dict[str, Any]:
    return {
        "device": host.device,
        "problem": host.problem or None,
        "hint": host.hint or None,
        "notes": list(host.notes),
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
