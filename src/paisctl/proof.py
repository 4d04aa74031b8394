"""Whether a plan has come true: what it wanted against the hosts as they are afterwards. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from paisctl.desired import HostSpec
from paisctl.kept import kept_host
from paisctl.manifest import VERSION, parse_manifest
from paisctl.observed import HostState
from paisctl.plan import Change, HostPlan, Plan
from paisctl.reconcile import reconcile_host
from paisctl.secrets import Vault


def wanted_host(plan: HostPlan, root: str) -> HostSpec:
    """What a plan wants of the stacks it changes on a host, as its manifest entries say it.

    Args:
        plan: the plan of the host.
        root: the directory that paisctl owns there.
    """
    entries = {stack.name: json.loads(stack.entry) for stack in plan.stacks if stack.entry}
    header = {"paisctl": VERSION, "fleet": "", "device": plan.device, "generation": 0}
    return kept_host(plan.device, root, parse_manifest(json.dumps(header | {"stacks": entries})))


def unproven(
    plan: Plan, before: Mapping[str, HostState], after: Mapping[str, HostState], vault: Vault
) -> Plan:
    """What still differs on the stacks of a plan.

    It is judged by the plan, not by the inventory, which may have moved on since it was made. What
    differed before and was not in the plan was left alone on purpose, and is left out.

    Args:
        plan: what was carried out.
        before: the hosts as they were then.
        after: the hosts as they are now; a host that is not in it is left out.
        vault: the secrets, for comparing keyed digests.
    """
    return Plan(
        tuple(
            _unproven_host(host, before[host.device], after[host.device], vault)
            for host in plan.hosts
            if host.device in after
        )
    )


def _unproven_host(plan: HostPlan, before: HostState, after: HostState, vault: Vault) -> HostPlan:
    wanted = wanted_host(plan, after.root)
    stacks = frozenset(stack.name for stack in plan.stacks)
    if not stacks:
        return HostPlan(plan.device)
    known = {_what(change) for change in reconcile_host(wanted, before, vault, stacks).changes}
    left_alone = known - {_what(change) for change in plan.changes}
    now = reconcile_host(wanted, after, vault, stacks)
    differing = (
        replace(stack, changes=tuple(c for c in stack.changes if _what(c) not in left_alone))
        for stack in now.stacks
    )
    return replace(now, stacks=tuple(stack for stack in differing if stack.changes))


def unrestored(
    rolled_back: Mapping[str, frozenset[str]],
    before: Mapping[str, HostSpec],
    after: Mapping[str, HostState],
    vault: Vault,
) -> Plan:
    """What on stacks that were rolled back is not as the generation before had it.

    Args:
        rolled_back: the stacks, by device.
        before: what the hosts had been given before the apply.
        after: the hosts as they are now.
        vault: the secrets, for comparing keyed digests.
    """
    return Plan(
        tuple(
            reconcile_host(before[device], after[device], vault, stacks)
            for device, stacks in rolled_back.items()
            if stacks
        )
    )


def _what(change: Change) -> tuple[object, ...]:
    return change.address, change.subject, change.field
