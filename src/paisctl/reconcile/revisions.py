"""Two revisions of an inventory compared, as if one were applied and ran untouched. Pure.

The plan is that of `reconcile`, made on the states that the hosts would have then.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from paisctl.desired import HostSpec, StackSpec
from paisctl.inventory.rollouts import Group
from paisctl.manifest import VERSION, manifest_line
from paisctl.observed import HostState, image_name
from paisctl.plan import Action, Address, Cause, Change, Disruption, HostPlan, Plan, StackPlan
from paisctl.reconcile import reconcile
from paisctl.reconcile.together import apart
from paisctl.resources.compose import LABEL_DIGEST, LABEL_STACK, Fields, ServiceSpec, fields
from paisctl.resources.container import Container
from paisctl.resources.file import FileState
from paisctl.secrets import Vault, describe, has_token

NEW = "new in the inventory, or newly deployed to"
_LEFT_ALONE = "paisctl does not deploy to this device any more; what runs there is left as it is"
_KEY = "two revisions"  # of digests that never leave this comparison


class Unopened(Vault):
    """Stands in for the vault where secrets have no values: each is known by its name alone."""

    def __init__(self) -> None:
        super().__init__({}, _KEY)

    def reveal(self, text: str) -> str:
        return text

    def redact(self, text: str) -> str:
        return describe(text)

    def seal(self, text: str) -> str:
        """What names a secret is no secret; what does not may be one, and stays hidden."""
        return describe(text) if has_token(text) else super().seal(text)


@dataclass(frozen=True)
class _Standing(Container):
    """A container as it would be after an apply; nobody has inspected it."""

    shown: Fields = field(default_factory=dict)

    def fields(self, _image: Mapping[str, Any]) -> Fields:
        return dict(self.shown)


def compare(
    before: Mapping[str, HostSpec],
    after: Mapping[str, HostSpec],
    *,
    devices: Collection[str] | None = None,
    stacks: Collection[str] = (),
    groups: Iterable[Group] = (),
    diffs_from: str = "",
) -> Plan:
    """Plan what leads from one revision to another.

    Args:
        before: what was asked of each host, by device.
        after: what is asked of it now.
        devices: only these of `after`; None means the whole fleet, with what has left it.
        stacks: only these; none means all.
        groups: the stacks whose members no plan restarts together.
        diffs_from: what to call the first revision in diffs of files; empty for no diffs.
    """
    wanted = {name: spec for name, spec in after.items() if devices is None or name in devices}
    origins = {name: _origin(spec, before, after) for name, spec in wanted.items()}
    states = {name: _state(origins[name], spec) for name, spec in wanted.items()}
    plan = reconcile(wanted, states, Unopened(), stacks)
    hosts = [_asked_for(host, wanted[host.device]) for host in plan.hosts]
    if diffs_from:
        pairs = ((origins[host.device], wanted[host.device]) for host in hosts)
        hosts = [_with_diffs(h, *pair, diffs_from) for h, pair in zip(hosts, pairs, strict=True)]
    if devices is None:
        known = {origin.device for origin in origins.values() if origin}
        gone = (spec for name, spec in before.items() if name not in known)
        hosts += [_gone(spec, stacks) for spec in gone]
    return apart(Plan(tuple(hosts)), groups, states)


def _origin(
    spec: HostSpec, before: Mapping[str, HostSpec], after: Mapping[str, HostSpec]
) -> HostSpec | None:
    """What a device was before, perhaps under another name; None if it is new."""
    was_other = spec.renamed_from not in after and before.get(spec.renamed_from)
    return before.get(spec.device) or was_other or None


def _state(before: HostSpec | None, after: HostSpec) -> HostState:
    """A host on which a revision was applied; an apply to another folder finds its containers only."""
    if before is None:
        return HostState(after.device, after.root, notes=(NEW,))
    stays = before.root == after.root
    containers = tuple(_containers(before))
    names = sorted({image_name(container.image) for container in containers})
    return HostState(
        after.device,
        after.root,
        containers=containers,
        images={name: {"RepoTags": [name], "RepoDigests": [name]} for name in names},
        files={file.path: file for file in _files(before)} if stays else {},
        manifest=_manifest(before) if stays else "",
        notes=() if stays else (f"its folder was {before.root} and is {after.root} now",),
    )


def _containers(host: HostSpec) -> Iterator[Container]:
    for stack in host.stacks.values():
        for service in stack.services.values():
            if service.name in stack.resting:
                continue  # whether it ever ran is not known
            yield _container(service, stack, f"{host.root}/stacks/{stack.name}")


def _container(service: ServiceSpec, stack: StackSpec, directory: str) -> Container:
    shown = fields(service, stack.project, directory)
    labels = {
        "com.docker.compose.project": stack.project,
        "com.docker.compose.service": service.name,
        "com.docker.compose.project.working_dir": directory,
        LABEL_STACK: stack.name,
        LABEL_DIGEST: service.digest,
    }
    inspected = {
        "Id": f"{stack.name}/{service.name}",
        "Name": f"/{stack.project}-{service.name}-1",
        "Image": image_name(service.image),
        "Config": {"Image": service.image, "Labels": labels},
        "HostConfig": {},
        "NetworkSettings": {"Networks": dict.fromkeys(shown["networks"])},
        "State": _being(shown),
    }
    return _Standing(inspected, shown)


def _being(shown: Fields) -> dict[str, Any]:
    """What Docker never starts again may well have done its one thing and ended."""
    if shown["restart policy"] == "no":
        return {"Status": "exited"}
    is_checked = (shown["health check"] or {"test": ["NONE"]}).get("test") != ["NONE"]
    return {"Status": "running"} | ({"Health": {"Status": "healthy"}} if is_checked else {})


def _files(host: HostSpec) -> Iterator[FileState]:
    for stack in host.stacks.values():
        for file in stack.files.values():
            digest = hashlib.sha256(file.bytes(Unopened())).hexdigest()
            yield FileState(f"stacks/{stack.name}/{file.path}", file.mode, digest)


def _manifest(host: HostSpec) -> str:
    lines = {name: manifest_line(stack, Unopened()) for name, stack in host.stacks.items()}
    owner = {"fleet": host.fleet, "device": host.device, "generation": 1}
    stacks = {name: json.loads(line) for name, line in lines.items()}
    return json.dumps({"paisctl": VERSION, **owner, "stacks": stacks})


def _asked_for(host: HostPlan, after: HostSpec) -> HostPlan:
    """The plan of a host on which nobody changes anything by hand: all of it is asked for."""

    def asked_for(change: Change) -> Change:
        if change.cause in (Cause.PENDING, Cause.ORPHAN):
            return change
        mark = change.mark or after.stacks[change.address.name].mark
        return replace(change, action=Action.UPDATE, cause=Cause.PENDING, reason="", mark=mark)

    stacks = (replace(each, changes=tuple(map(asked_for, each.changes))) for each in host.stacks)
    return replace(host, stacks=tuple(stacks))


def _gone(spec: HostSpec, chosen: Collection[str]) -> HostPlan:
    """A device that is not deployed to any more: nothing reaches it, so that nothing ends there."""
    stacks = [name for name in spec.stacks if not chosen or name in chosen]
    return HostPlan(spec.device, tuple(_left(spec.device, name) for name in stacks), (_LEFT_ALONE,))


def _left(device: str, stack: str) -> StackPlan:
    address = Address(device, "compose", stack)
    reason = "no longer managed"
    change = Change(address, Action.DELETE, "stack", Cause.ORPHAN, Disruption.NONE, reason=reason)
    return StackPlan(stack, (change,))


def _with_diffs(host: HostPlan, before: HostSpec | None, after: HostSpec, called: str) -> HostPlan:
    """The plan of a host with what changes in its files, line by line; secrets are names in them."""
    was = before.stacks if before else {}

    def diffed(change: Change) -> Change:
        path = change.subject.removeprefix("file ")
        old, new = (each.get(change.address.name) for each in (was, after.stacks))
        is_content = change.subject != path and not change.field
        if not (is_content and old and new and path in old.files and path in new.files):
            return change
        lines = difflib.unified_diff(
            describe(old.files[path].content).splitlines(),
            describe(new.files[path].content).splitlines(),
            f"{path} ({called})",
            f"{path} (now)",
            lineterm="",
        )
        return replace(change, diff="\n".join(lines))

    stacks = (replace(each, changes=tuple(map(diffed, each.changes))) for each in host.stacks)
    return replace(host, stacks=tuple(stacks))
