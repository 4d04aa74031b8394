"""Members of a rollout are never restarted together: what is refused, and what is not."""

from __future__ import annotations

import pytest

from paisctl.execution.conduct import Conduct
from paisctl.inventory.rollouts import Group
from paisctl.observed import HostState
from paisctl.plan import Action, Address, Cause, Change, Disruption, HostPlan, Plan, StackPlan
from paisctl.reconcile.together import apart, forward_only

GROUP = Group("knowledge", "qdrant", frozenset({"a", "b", "c"}))


def stack(
    device: str,
    name: str = "qdrant",
    action: Action = Action.UPDATE,
    disruption: Disruption = Disruption.RECREATE,
    field: str = "image",
) -> StackPlan:
    change = Change(
        Address(device, "compose", name),
        action,
        "service qdrant",
        Cause.PENDING,
        disruption,
        field=field,
        before="v1.18.3",
        after="v1.19.0",
    )
    return StackPlan(name, (change,))


def plan(*stacks: StackPlan) -> Plan:
    hosts: dict[str, list[StackPlan]] = {}
    for each in stacks:
        hosts.setdefault(each.changes[0].address.device, []).append(each)
    return Plan(tuple(HostPlan(device, tuple(these)) for device, these in hosts.items()))


def states(**open_rollouts: str) -> dict[str, HostState]:
    return {
        device: HostState(
            device, open_rollouts=(open_rollouts[device],) if device in open_rollouts else ()
        )
        for device in ("a", "b", "c")
    }


def test_two_members_are_refused_and_all_else_is_left_as_it_is() -> None:
    other = stack("a", "redis")
    parted = apart(plan(stack("a"), other, stack("b")), [GROUP], states())
    assert [str(refusal) for refusal in parted.refused] == [
        f"? {device}/compose:qdrant this would restart a and b together: "
        "service qdrant image v1.18.3 → v1.19.0"
        for device in ("a", "b")
    ]
    assert {r.hint for r in parted.refused} == {"one after the other: paisctl rollout knowledge"}
    assert parted.changes == list(other.changes)
    assert not parted.is_whole


@pytest.mark.parametrize(
    "second",
    [
        stack("b", action=Action.CREATE),
        stack("b", disruption=Disruption.RELOAD),
        stack("b", disruption=Disruption.NONE, action=Action.MEND, field="state"),
        stack("d"),
        stack("b", "redis"),
    ],
    ids=["a new one", "only reloaded", "brought back to life", "no member", "another stack"],
)
def test_one_that_is_restarted_and_something_else_is_no_matter(second: StackPlan) -> None:
    whole = plan(stack("a"), second)
    assert apart(whole, [GROUP], states()) == whole


def test_while_it_is_rolled_not_even_one() -> None:
    parted = apart(plan(stack("a")), [GROUP], states(c="knowledge"))
    [refusal] = parted.refused
    assert refusal.problem.startswith("the rollout knowledge of this stack has not ended")
    assert refusal.hint == "paisctl rollout knowledge status"
    assert parted.changes == []


def test_another_rollout_is_another_matter() -> None:
    whole = plan(stack("a"))
    assert apart(whole, [GROUP], states(c="cache")) == whole


def test_what_is_down_may_be_started_even_while_it_is_rolled() -> None:
    whole = plan(stack("a", disruption=Disruption.NONE, action=Action.MEND, field="state"))
    assert apart(whole, [GROUP], states(b="knowledge")) == whole


def test_two_that_are_unhealthy_are_not_restarted_together() -> None:
    ill = [stack(d, "qdrant", Action.MEND, Disruption.RESTART, "state") for d in ("a", "b")]
    assert len(apart(plan(*ill), [GROUP], states()).refused) == 2


def test_a_host_on_which_a_member_gets_another_image_does_not_go_back_by_itself() -> None:
    whole = plan(stack("a"), stack("b", field="memory limit"), stack("c", "redis"), stack("d"))
    assert forward_only(whole, [GROUP]) == {"a"}
    assert not Conduct(forward_only=forward_only(whole, [GROUP])).goes_back("a")
    assert Conduct(forward_only=forward_only(whole, [GROUP])).goes_back("b")
