"""One stack on one host: its changes, each with its cause, and the operations that make them."""

from __future__ import annotations

from paisctl.desired import StackSpec
from paisctl.manifest import AppliedStack, manifest_line
from paisctl.observed import HostState
from paisctl.plan import Action, Cause, Change, StackPlan
from paisctl.reconcile.changes import Comparison, Finding, Scope
from paisctl.reconcile.files import compose_file_findings, file_findings
from paisctl.reconcile.operations import Needed, operations_for
from paisctl.reconcile.services import service_findings
from paisctl.secrets import Vault


def plan_stack(
    spec: StackSpec,
    state: HostState,
    applied: AppliedStack | None,
    vault: Vault,
    scope: Scope = Scope.ALL,
) -> StackPlan:
    """Plan one stack.

    Args:
        spec: the stack as it should be.
        state: the host as it is.
        applied: the stack as it was last applied; None when it never was.
        vault: the secrets, for comparing keyed digests.
        scope: which differences to plan.
    """
    stack = Comparison(spec, state, applied, vault)
    found = [f for f in (*service_findings(stack), *file_findings(stack)) if f.is_in(scope)]
    explained = bool(_changes(found))
    found += [f for f in compose_file_findings(stack, explained=explained) if f.is_in(scope)]
    changes = _changes(found)
    if not changes and applied is None and scope.covers(Cause.PENDING):
        reason = "it runs as wanted, but is not in the host's manifest"
        changes = [stack.change(Action.UPDATE, "record", Cause.PENDING, reason=reason)]
    needed = Needed()
    for finding in found:
        needed.add(finding.needed)
    operations = operations_for(spec, state, needed) if changes else ()
    return StackPlan(spec.name, tuple(changes), operations, spec.needs, manifest_line(spec, vault))


def _changes(found: list[Finding]) -> list[Change]:
    return [finding.change for finding in found if finding.change]
