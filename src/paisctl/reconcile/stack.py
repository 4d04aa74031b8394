"""One stack on one host: its changes, each with its cause, and the operations that make them."""

from __future__ import annotations

from paisctl.desired import StackSpec
from paisctl.manifest import AppliedStack, manifest_line
from paisctl.observed import HostState
from paisctl.plan import Action, Cause, StackPlan
from paisctl.reconcile.changes import Comparison
from paisctl.reconcile.files import compose_file_changes, file_changes
from paisctl.reconcile.operations import operations_for
from paisctl.reconcile.services import service_changes
from paisctl.secrets import Vault


def plan_stack(
    spec: StackSpec, state: HostState, applied: AppliedStack | None, vault: Vault
) -> StackPlan:
    """Plan one stack.

    Args:
        spec: the stack as it should be.
        state: the host as it is.
        applied: the stack as it was last applied; None when it never was.
        vault: the secrets, for comparing keyed digests.
    """
    stack = Comparison(spec, state, applied, vault)
    changes = [*service_changes(stack), *file_changes(stack)]
    changes += compose_file_changes(stack, explained=bool(changes))
    if not changes and applied is None:
        reason = "it runs as wanted, but is not in the host's manifest"
        changes = [stack.change(Action.UPDATE, "record", Cause.PENDING, reason=reason)]
    operations = operations_for(spec, state, stack.needed) if changes else ()
    return StackPlan(spec.name, tuple(changes), operations, spec.needs, manifest_line(spec, vault))
