"""What is held is planned, but left alone: counted, and not done. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from paisctl.hold import Hold, hold_of, holds_of
from paisctl.observed import HostState
from paisctl.plan import Address, Change, Held, HostPlan, Plan, Refusal


def hold_back(plan: Plan, states: Mapping[str, HostState]) -> Plan:
    """A plan without the stacks that are held; each host says how much that leaves alone.

    Args:
        plan: a fleet's.
        states: the hosts, which know what is held on them.
    """
    return replace(plan, hosts=tuple(_held_back(host, states) for host in plan.hosts))


def _held_back(host: HostPlan, states: Mapping[str, HostState]) -> HostPlan:
    state = states.get(host.device)
    if state is None or host.problem or host.asleep or not holds_of(state):
        return host
    kept: dict[Hold, tuple[Change, ...]] = dict.fromkeys(holds_of(state), ())
    kept |= {held.hold: held.changes for held in host.held if held.hold in kept}  # a saved plan's
    for stack in host.stacks:
        if hold := hold_of(state, stack.name):
            kept[hold] += stack.changes
    return replace(
        host,
        stacks=tuple(each for each in host.stacks if not hold_of(state, each.name)),
        refused=tuple(each for each in host.refused if not hold_of(state, each.address.name)),
        held=tuple(Held(hold, changes) for hold, changes in kept.items()),
    )


def refuse_held(plan: Plan, states: Mapping[str, HostState]) -> Plan:
    """A plan in which the stacks that are held are refused; arguments as of `hold_back`."""
    return replace(plan, hosts=tuple(_refusing(host, states) for host in plan.hosts))


def _refusing(host: HostPlan, states: Mapping[str, HostState]) -> HostPlan:
    state = states.get(host.device)
    if state is None:
        return host
    held = {s.name: hold for s in host.stacks if (hold := hold_of(state, s.name))}
    refused = tuple(refusal(host.device, name, hold) for name, hold in held.items())
    stacks = tuple(stack for stack in host.stacks if stack.name not in held)
    return replace(host, stacks=stacks, refused=(*host.refused, *refused))


def refusal(device: str, stack: str, hold: Hold) -> Refusal:
    """That a held stack is not changed, and how it could be."""
    what = f"{device}/{hold.stack}" if hold.stack else device
    return Refusal(Address(device, "compose", stack), f"it is {hold}", f"paisctl release {what}")
