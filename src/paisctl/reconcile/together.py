"""Members of a rollout are never restarted together, whatever else an apply does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from paisctl.inventory.rollouts import Group
from paisctl.observed import HostState
from paisctl.plan import Action, Address, Disruption, Plan, Refusal, StackPlan


def apart(
    plan: Plan, groups: Iterable[Group], states: Mapping[str, HostState], hint: str = ""
) -> Plan:
    """A plan without what would restart two members of a group, or one while it is being rolled.

    What is left out is refused, with the command that does it.

    Args:
        plan: a fleet's.
        groups: the stacks whose members are changed one after the other.
        states: the hosts, which know of rollouts that have not ended.
        hint: what to do instead of restarting them together; else the rollout.
    """
    for group in groups:
        plan = _apart(plan, group, states, hint)
    return plan


def forward_only(plan: Plan, groups: Iterable[Group]) -> frozenset[str]:
    """The hosts on which a member of a group gets another image.

    Its program may bring the data into a form that the one before cannot read, as Qdrant does, so
    that going back would not bring back what was.
    """
    return frozenset(
        host.device
        for group in groups
        for host in plan.hosts
        for stack in host.stacks
        if stack.name == group.stack and host.device in group.devices
        if any(change.field == "image" and change.before for change in stack.changes)
    )


def _apart(plan: Plan, group: Group, states: Mapping[str, HostState], hint: str) -> Plan:
    disturbed = {
        host.device: stack
        for host in plan.hosts
        for stack in host.stacks
        if stack.name == group.stack and host.device in group.devices and _restarts(stack)
    }
    is_open = any(group.name in state.open_rollouts for state in states.values())
    if len(disturbed) < 2 and not (disturbed and is_open):
        return plan
    if is_open:
        problem = f"the rollout {group.name} of this stack has not ended"
        hint = f"paisctl rollout {group.name} status"
    else:
        problem = f"this would restart {_listed(list(disturbed))} together"
        hint = hint or f"one after the other: paisctl rollout {group.name}"
    hosts = []
    for host in plan.hosts:
        if stack := disturbed.get(host.device):
            address = Address(host.device, "compose", group.stack)
            refusal = Refusal(address, f"{problem}: {_what(stack)}", hint)
            stacks = tuple(each for each in host.stacks if each is not stack)
            host = replace(host, stacks=stacks, refused=(*host.refused, refusal))  # noqa: PLW2901
        hosts.append(host)
    return replace(plan, hosts=tuple(hosts))


def _restarts(stack: StackPlan) -> bool:
    """Whether what runs is restarted; what is down may be started at any time."""
    return any(
        change.disruption >= Disruption.RESTART and change.action is not Action.CREATE
        for change in stack.changes
    )


def _what(stack: StackPlan) -> str:
    """The first of the changes that would do it, for whoever wonders."""
    change = max(stack.changes, key=lambda each: each.disruption)
    values = " → ".join(value for value in (change.before, change.after) if value)
    return " ".join(part for part in (change.subject, change.field, values) if part)


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
