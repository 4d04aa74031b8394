"""The tailnet's access policy: asked for while hosts are read, applied last and alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paisctl.inventory.load import Fleet
    from paisctl.pipeline import Desired
    from paisctl.plan import Plan, PolicyPlan
    from paisctl.reconcile import Scope
    from paisctl.rendering.tailnet.access import Door
    from paisctl.rendering.tailnet.explain import Answer
    from paisctl.tailnet.control import LivePolicy, Match
    from paisctl.tailnet.outcome import Result


class PolicyQuestion:
    """Asks the control plane while the hosts are read.

    Args:
        desired: what should be.
        is_wanted: whether the plan is about the policy at all, as plans of whole fleets are.
    """

    def __init__(self, desired: Desired, *, is_wanted: bool) -> None:
        from paisctl.threads import start_thread

        def ask(desired: Desired) -> PolicyPlan | None:
            if not desired.fleet.inventory.tailnet.policy:
                return None
            from paisctl.tailnet.planning import plan_in_force  # a tenth of a second

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


def set_policy(fleet: Fleet, policy: PolicyPlan) -> bool:
    """Put a planned policy in force, say how that ended, and whether it is in force."""
    import typer

    from paisctl.errors import PolicyMoved
    from paisctl.tailnet.applying import apply_policy
    from paisctl.tailnet.connect import connect
    from paisctl.views import switch as view

    try:
        return _carried_out(fleet, lambda: apply_policy(fleet, policy, view.say))
    except PolicyMoved:
        with connect(fleet) as control:
            typer.echo(view.moved(policy.before, control.policy().text), nl=False)
        raise


def finish_policy(fleet: Fleet) -> bool:
    """End a change that was cut short, by keeping the new policy; as `set_policy`."""
    from paisctl.tailnet.applying import finish
    from paisctl.views import switch as view

    return _carried_out(fleet, lambda: finish(fleet, view.say))


def put_policy_back(fleet: Fleet) -> bool:
    """End a change that was cut short, by going back; whether the old policy is in force."""
    from paisctl.tailnet.applying import go_back
    from paisctl.views import switch as view

    return _carried_out(fleet, lambda: go_back(fleet, view.say), is_way_back=True)


def _carried_out(fleet: Fleet, change: Callable[[], Result], *, is_way_back: bool = False) -> bool:
    import typer

    from paisctl.tailnet.applying import record_of
    from paisctl.tailnet.outcome import Outcome, SwitchInterrupted
    from paisctl.views import switch as view

    folder = str(record_of(fleet).folder)
    try:
        result = change()
    except SwitchInterrupted as stopped:
        typer.echo(view.as_text(stopped.result, folder, is_way_back=is_way_back), nl=False)
        raise
    typer.echo(view.as_text(result, folder, is_way_back=is_way_back), nl=False)
    return result.is_old_proven if is_way_back else result.outcome is Outcome.KEPT


def previews(desired: Desired, answers: Sequence[Answer]) -> dict[Door, Sequence[Match]]:
    """What the control plane finds of the derived policy that is about each port asked for."""
    from paisctl.rendering.tailnet.words import policy_text
    from paisctl.tailnet.connect import connect

    fleet, text = desired.fleet, policy_text(desired.fleet.inventory.name, desired.tailnet)
    doors = dict.fromkeys(answer.door for answer in answers)
    with connect(fleet) as control:
        return {
            door: control.preview(
                text, "ipport", f"{fleet.devices[door.device].device.address}:{door.port}"
            )
            for door in doors
        }


def policy_in_force(desired: Desired) -> LivePolicy:
    from paisctl.tailnet.connect import connect

    with connect(desired.fleet) as control:
        return control.policy()


def policy_of(file: Path) -> LivePolicy:
    from paisctl.errors import PaisctlError, UsageError
    from paisctl.tailnet.control import LivePolicy

    if not file.exists():
        raise UsageError(f"there is no file {file}", "save one: paisctl acl pull -o FILE")
    try:
        return LivePolicy(file.read_text("utf-8-sig"), "")
    except UnicodeDecodeError:
        raise PaisctlError(f"{file} is not UTF-8", "save it as UTF-8") from None


def plan_over_policy_in_force(desired: Desired) -> PolicyPlan:
    """The plan over the policy in force, if the control plane would take the new one."""
    from paisctl.tailnet.connect import connect
    from paisctl.tailnet.planning import plan_with

    with connect(desired.fleet) as control:
        return usable(plan_with(control, desired.fleet, desired.tailnet))


def usable(plan: PolicyPlan) -> PolicyPlan:
    """Insist on that the other policy could be read."""
    from paisctl.errors import PaisctlError

    if plan.problem:
        raise PaisctlError(plan.problem, plan.hint)
    return plan
