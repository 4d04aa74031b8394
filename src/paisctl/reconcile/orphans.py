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

    What runs from a folder outside of the host's root may be of another inventory that has a root of
    its own on the same engine: it stays, and is only noted.

    Args:
        spec: what should be on the host.
        state: what is on it.
        manifest: what it was last given.
        chosen: only these stacks; none means all.
    """
    labelled = {c.stack for c in state.containers if c.stack}
    for name in sorted((labelled | set(manifest.stacks)) - set(spec.stacks)):
        if not chosen or name in chosen:
            yield _orphan(spec.device, name, state, manifest.stacks.get(name))


def _orphan(device: str, name: str, state: HostState, applied: AppliedStack | None) -> PlannedStack:
    adopted = applied.adopted if applied else {}
    there = [c for c in state.containers if c.project == name and not c.is_one_off]
    ours = [c for c in there if _is_made_here(c, state) or c.id in adopted]
    others = [c for c in there if c not in ours]
    notes = tuple(_notes(name, others))
    if applied is None and not ours:
        return PlannedStack(StackPlan(name), notes)
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
    return PlannedStack(StackPlan(name, (change,), (*ends, *gone)), notes)


def _is_made_here(container: Container, state: HostState) -> bool:
    """Whether paisctl made a container, and from a folder below this root."""
    folder = container.project_folder
    return bool(container.stack) and folder in ("", state.directory(container.stack))


def _notes(stack: str, others: Sequence[Container]) -> Iterator[str]:
    for container in others:
        where = f", but from {container.project_folder}" if container.stack else ""
        who = "paisctl made" if container.stack else "paisctl did not make"
        yield f"{stack}: {who} {container.name}{where}, so that stays"
