"""Whose a host and its projects are: what is not ours to change is refused. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from paisctl.desired import HostSpec
from paisctl.manifest import Manifest
from paisctl.plan import Action, Address, Cause, Change, Disruption, HostPlan, Refusal, StackPlan
from paisctl.reconcile.changes import Comparison


def foreign_owner(spec: HostSpec, manifest: Manifest) -> HostPlan | None:
    """Why a host is not to be touched: it is another fleet's, or another device's.

    What was never applied to is nobody's. A spec that belongs to no fleet is not asked.
    """
    if not spec.fleet:
        return None
    if manifest.fleet and manifest.fleet != spec.fleet:
        return HostPlan(
            spec.device,
            problem=f"this host is managed by the fleet `{manifest.fleet}`, not by `{spec.fleet}`",
            hint=f"is the address of {spec.device} right? If the fleet was only renamed, "
            f"set `name: {manifest.fleet}` again",
        )
    if manifest.device and manifest.device not in (spec.device, spec.renamed_from):
        return HostPlan(
            spec.device,
            problem=f"this host is managed as `{manifest.device}`, not as `{spec.device}`",
            hint=f"is the address of {spec.device} right? If the device was renamed, set "
            f"`renamed_from: {manifest.device}` on it until the next apply",
        )
    return None


def foreign_project(stack: Comparison) -> Refusal | None:
    """Why a stack is not to be touched: somebody else's Compose project has its name.

    It may have data of theirs, and its containers would be taken for the stack's own. So may one that
    was taken over only in part, since that has failed, or whose record is lost.
    """
    containers = stack.containers
    if stack.was_applied or all(c.stack for c in containers):
        return None
    folders = {c.project_folder for c in containers if c.project_folder}
    where = f" (in {', '.join(sorted(folders))})" if folders else ""
    part = " all of" if any(c.stack for c in containers) else ""
    return Refusal(
        stack.address,
        f"a Compose project `{stack.spec.project}` is there that paisctl did not make{part}{where}",
        f"take it over as it runs: paisctl adopt {stack.spec.device} {stack.spec.name}; or give that "
        "project another name",
    )


def with_new_name(
    spec: HostSpec, manifest: Manifest, plans: Sequence[StackPlan]
) -> list[StackPlan]:
    """The plans of a host, of which one also writes its new name down.

    That is the first stack with changes, or else the first one.
    """
    if not plans or not manifest.device or manifest.device == spec.device:
        return list(plans)
    first = next((plan for plan in plans if plan.changes), plans[0])
    change = Change(
        Address(spec.device, "compose", first.name),
        Action.UPDATE,
        "record",
        Cause.PENDING,
        Disruption.NONE,
        field="device",
        before=manifest.device,
        after=spec.device,
        reason="the device was renamed",
    )
    renamed = replace(first, changes=(change, *first.changes))
    return [renamed if plan is first else plan for plan in plans]
