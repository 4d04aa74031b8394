"""The tailnet's access policy beside the hosts: asked for meanwhile, applied last and alone."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paisctl.pipeline import Desired
    from paisctl.plan import Plan, PolicyPlan
    from paisctl.reconcile import Scope


class PolicyQuestion:
    """Asks the control plane while the hosts are read.

    Args:
        desired: what should be.
        is_wanted: whether the plan is about the policy at all, as plans of whole fleets are.
    """

    def __init__(self, desired: Desired, *, is_wanted: bool) -> None:
        from paisctl.tailnet.planning import plan_in_force
        from paisctl.threads import start_thread

        def ask(desired: Desired) -> PolicyPlan | None:
            return plan_in_force(desired.fleet, desired.tailnet)

        self._answer: Future[PolicyPlan | None] | None = (
            start_thread(ask, desired) if is_wanted else None
        )

    def added_to(self, plan: Plan, scope: Scope) -> Plan:
        """The plan with the policy, as far as it is of the differences that are meant."""
        policy = self._answer.result() if self._answer else None
        return replace(plan, policy=policy and _within(policy, scope))


def _within(policy: PolicyPlan, scope: Scope) -> PolicyPlan:
    """One cause holds for all of a policy, since it is replaced as a whole."""
    from paisctl.plan import LEFT_ALONE, Cause, PolicyPlan
    from paisctl.reconcile import Scope

    causes = {change.cause for change in policy.changes}
    is_left = (scope is Scope.PENDING and causes == {Cause.DRIFT}) or (
        scope is Scope.DRIFT and not causes <= {Cause.DRIFT}
    )
    if not is_left:
        return policy
    note = f"{LEFT_ALONE}{len(policy.changes)} {' and '.join(sorted(causes))}"
    return PolicyPlan(notes=(*policy.notes, note), etag=policy.etag)
