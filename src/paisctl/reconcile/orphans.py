"""Stacks that a host has and the inventory has no more: what paisctl made of them goes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from paisctl.desired import HostSpec
from paisctl.manifest import AppliedStack, Manifest
from paisctl.observed import HostState
from paisctl.operation import Operation, RemoveContainer, RemoveFile, RemoveProject
from paisctl.plan import Action, Address, Cause, Change, Disruption, StackPlan
from paisctl.reconcile.stack import PlannedStack
from paisctl.resources.container import Container


def plan_orphans(
    spec: HostSpec, state: HostState, manifest: Manifest, chosen: Collection[str] = ()
) -> Iterator[PlannedStack]:
    """Plan the removal of what is not wanted any more.

    Args:
        spec: what should be on the host.
        state: what is on it.
        manifest: what it was last given.
        chosen: only these stacks; none means all.
    """
    labelled = {container.stack for container in state.containers if container.stack}
    for name in sorted((labelled | set(manifest.stacks)) - set(spec.stacks)):
        if not chosen or name in chosen:
            yield _orphan(spec.device, name, state, manifest.stacks.get(name))


def _orphan(device: str, name: str, state: HostState, applied: AppliedStack | None) -> PlannedStack:
    adopted = applied.adopted if applied else {}
    there = [c for c in state.containers if c.project == name and not c.is_one_off]
    others = [c for c in there if not (c.stack or c.id in adopted)]
    ours = [c for c in there if c not in others]
    ends: list[Operation] = [RemoveProject(name)]
    if others:  # the project is theirs as well
        ends = [RemoveContainer(c.id, c.name) for c in ours]
    change = Change(
        Address(device, "compose", name),
        Action.DELETE,
        "stack",
        Cause.ORPHAN,
        Disruption.DOWNTIME if ends else Disruption.NONE,
        reason="no longer in the inventory; volumes kept",
    )
    files = applied.files if applied else {}
    gone = (RemoveFile(path) for path in files if f"stacks/{name}/{path}" in state.files)
    return PlannedStack(StackPlan(name, (change,), (*ends, *gone)), tuple(_notes(name, others)))


def _notes(stack: str, others: Sequence[Container]) -> Iterator[str]:
    if others:
        names = ", ".join(container.name for container in others)
        yield f"{stack}: paisctl did not make {names}, so that stays"
