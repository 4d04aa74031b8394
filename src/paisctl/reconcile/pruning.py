"""Removing what is not wanted any more from a stack, and nothing else of it. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from paisctl.manifest import record_line
from paisctl.plan import Cause
from paisctl.reconcile.changes import Comparison, Finding
from paisctl.reconcile.operations import Needed


def is_all_orphaned(findings: Sequence[Finding]) -> bool:
    """Whether nothing differs but what is not wanted any more, so that the stack is then as wanted."""
    found = [each for each in findings if each.change and not each.ignored]
    return all(each.change.cause is Cause.ORPHAN for each in found if each.change)


def pruned_line(stack: Comparison, needed: Needed) -> str:
    """The stack's line in the manifest once some of it is removed: what was applied without that.

    Empty where it was never applied.
    """
    if not stack.was_applied:
        return ""
    entry = json.loads(stack.applied.line)
    left = {c.service for c in stack.containers if c.id not in needed.remove} | {
        *stack.spec.services
    }
    services = {name: each for name, each in entry["services"].items() if name in left}
    files = {path: each for path, each in entry["files"].items() if path not in needed.unlink}
    for file in files.values():
        if file["service"] not in services:
            file |= {"service": None, "action": "none", "signal": None}
        if file["check"] and file["check"]["service"] not in services:
            file["check"] = None
    gates = [gate for gate in entry["gates"] if gate["service"] in services]
    if "adopted" in entry:
        entry["adopted"] = {c: d for c, d in entry["adopted"].items() if c not in needed.remove}
    if "resting" in entry:
        entry["resting"] = [name for name in entry["resting"] if name in services]
    return record_line(entry | {"services": services, "files": files, "gates": gates})
