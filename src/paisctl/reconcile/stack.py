"""One stack on one host: its changes, each with its cause, and the operations that make them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from paisctl.manifest import manifest_line
from paisctl.operation import Verb
from paisctl.plan import Action, Cause, Change, StackPlan
from paisctl.reconcile.adoption import adopted_after, adoption_changes
from paisctl.reconcile.changes import Comparison, Finding, Scope
from paisctl.reconcile.files import compose_file_findings, file_findings
from paisctl.reconcile.ignoring import note
from paisctl.reconcile.operations import Needed, operations_for
from paisctl.reconcile.pruning import is_all_orphaned, pruned_line
from paisctl.reconcile.services import service_findings


@dataclass(frozen=True, slots=True)
class PlannedStack:
    """The plan of a stack, and what a person should know beside it."""

    plan: StackPlan
    notes: tuple[str, ...] = ()


def plan_stack(stack: Comparison, scope: Scope = Scope.ALL) -> PlannedStack:
    """Plan one stack.

    Args:
        stack: the stack as it should be and as it is.
        scope: which differences to plan.
    """
    spec = stack.spec
    every = [*service_findings(stack), *file_findings(stack)]
    others = [finding for finding in every if finding.ignored or finding.is_in(scope)]
    found = [*others, *compose_file_findings(stack, others)]
    planned = [finding for finding in found if finding.is_in(scope)]
    is_part = scope is Scope.ORPHAN and not is_all_orphaned(
        [*every, *compose_file_findings(stack, every)]
    )
    if is_part:  # the Compose file stays with what is left alone
        planned = [finding for finding in planned if finding.change]
    changes = [finding.change for finding in planned if finding.change]
    if not changes and not stack.was_applied and scope is not Scope.ORPHAN:
        changes = [_record(stack)]
    needed = Needed()
    for finding in planned:
        needed.add(finding.needed)
    operations = operations_for(spec, stack.state, needed) if changes else ()
    adopted = adopted_after(stack, needed)
    if stack.is_adopting:
        changes = [*adoption_changes(stack, adopted), *changes]
    entry = pruned_line(stack, needed) if is_part else manifest_line(spec, stack.vault, adopted)
    plan = StackPlan(spec.name, tuple(changes), operations, spec.needs, entry)
    return PlannedStack(plan, tuple(_notes(found, needed if changes else Needed())))


def _record(stack: Comparison) -> Change:
    reason = "it runs as wanted, but is not in the host's manifest"
    return stack.change(Action.UPDATE, "record", Cause.PENDING, reason=reason)


def _notes(found: Sequence[Finding], needed: Needed) -> Iterator[str]:
    """What is ignored; a service that is made anew ends it."""
    made = {f"service {name}" for name, verb in needed.services.items() if verb is Verb.RECREATE}
    for finding in found:
        if finding.ignored and finding.change:
            yield note(finding.ignored, finding.change, ends=finding.change.subject in made)
