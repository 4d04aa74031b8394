"""Devices that are asleep: what they owe, and who goes on without them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from paisctl.desired import HostSpec
from paisctl.observed import HostState
from paisctl.owing import Owed, newest, owed_by
from paisctl.plan import HostPlan, Plan
from paisctl.secrets import Vault


def with_owed(
    plan: Plan, hosts: Mapping[str, HostSpec], states: Mapping[str, HostState], vault: Vault
) -> Plan:
    """A plan that says what the devices owe that are asleep, as those that are awake remember it.

    Args:
        plan: a fleet's.
        hosts: what should be, by device.
        states: what is, by device.
        vault: the secrets, for keyed digests.
    """
    asleep = {host.device for host in plan.hosts if host.asleep}
    if not asleep:
        return plan
    records = newest(states.values())
    owed = {d: owed_by(hosts[d], records[d], vault) for d in asleep if d in records}
    return replace(plan, hosts=tuple(_host(host, owed) for host in plan.hosts))


def _host(host: HostPlan, owed: Mapping[str, Owed]) -> HostPlan:
    if host.asleep:
        return replace(host, owed=owed.get(host.device))
    needs = dict.fromkeys(need for stack in host.stacks for need in stack.needs)
    notes = (
        f"{stack} on {device} is needed here; {device} is asleep and owes it"
        for device, stack in needs
        if device in owed and owed[device].owes(stack)
    )
    return replace(host, notes=(*host.notes, *notes))
