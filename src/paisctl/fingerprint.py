"""What a host's plan was made from, in a few facts, so that it can be said what has moved since.

Only what the plan is about: the stacks that it changes. Nothing that changes by itself with time:
no uptime, and no difference between a service that starts, is healthy or tries again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from paisctl.manifest import Manifest, UnusableManifest, parse_manifest
from paisctl.observed import HostState
from paisctl.operation import Pull
from paisctl.plan import HostPlan, StackPlan
from paisctl.reconcile.threeway import differences
from paisctl.rendering.compose import COMPOSE_FILE, OVERRIDE_FILE
from paisctl.resources.compose import Fields
from paisctl.resources.container import Container, live_fields
from paisctl.resources.file import FileState
from paisctl.secrets import Vault

# What `docker update` and `docker network` change. All else is as it was while the id is the same.
_CHANGEABLE = (
    "memory limit",
    "memory reservation",
    "processor limit",
    "processor shares",
    "processors",
    "process limit",
    "restart policy",
    "networks",
)
_STATES = {
    "running": "running",
    "healthy": "running",
    "starting": "running",
    "restarting": "running",
    "unhealthy": "unhealthy",
    "paused": "paused",
    "exited (0)": "ended with 0",
}
_EVERYBODY_READS = 0o044


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """A container: its id, its state in a word that does not flap, what can change meanwhile."""

    id: str
    state: str
    settings: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file: its type letter of ls(1), its mode, its SHA-256, keyed unless everybody reads it."""

    kind: str
    mode: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What one host's plan was made from.

    Attributes:
        root: the absolute directory that paisctl owns there.
        generation: the number of its manifest; None when that cannot be read.
        manifest: SHA-256 of the manifest's text.
        containers: those of the stacks in the plan, by name.
        files: the files of these stacks, by path below `root`.
        images: the id that each wanted reference points at; without those that the plan pulls.
    """

    root: str
    generation: int | None
    manifest: str
    containers: Mapping[str, ContainerFacts] = field(default_factory=dict)
    files: Mapping[str, FileFacts] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)


def take_fingerprint(plan: HostPlan, state: HostState, vault: Vault) -> Fingerprint:
    """The fingerprint of a host as far as a plan is about it.

    Args:
        plan: the plan of the host.
        state: the host, readable.
        vault: the key for digests of files that not everybody may read.
    """
    manifest = _manifest(state)
    projects = {stack.name for stack in plan.stacks}
    containers = (c for c in state.containers if c.project in projects and not c.is_one_off)
    files = (state.files[path] for path in _paths(plan, manifest) if path in state.files)
    return Fingerprint(
        root=state.root,
        generation=manifest.generation if manifest else None,
        manifest=hashlib.sha256(state.manifest.encode("utf-8", "surrogateescape")).hexdigest(),
        containers={c.name: _container(c, state) for c in sorted(containers, key=_name)},
        files={file.path: _file(file, vault) for file in files},
        images={reference: state.image_id(reference) for reference in _images(plan)},
    )


def _name(container: Container) -> str:
    return container.name


def _manifest(state: HostState) -> Manifest | None:
    try:
        return parse_manifest(state.manifest)
    except UnusableManifest:
        return None


def _container(container: Container, state: HostState) -> ContainerFacts:
    shown = live_fields(container, state.images.get(container.image_id, {}))
    settings = {name: shown[name] for name in _CHANGEABLE if shown[name]}
    return ContainerFacts(container.id, _STATES.get(container.state, "stopped"), settings)


def _paths(plan: HostPlan, manifest: Manifest | None) -> list[str]:
    """The files that the plan's stacks have, or are to have."""
    applied = manifest.stacks if manifest else {}
    paths = {
        f"stacks/{stack.name}/{path}"
        for stack in plan.stacks
        for path in (
            *_entry(stack).get("files", ()),
            *(applied[stack.name].files if stack.name in applied else ()),
            COMPOSE_FILE,
            OVERRIDE_FILE,
        )
    }
    return sorted(paths)


def _file(file: FileState, vault: Vault) -> FileFacts:
    is_open = int(file.mode, 8) & _EVERYBODY_READS == _EVERYBODY_READS
    if is_open or not file.digest:
        return FileFacts(file.kind, file.mode, file.digest)
    # Without a key there is no secret in the fleet; then a change of its content goes unseen.
    return FileFacts(file.kind, file.mode, vault.seal(file.digest) if vault.key else "")


def _images(plan: HostPlan) -> list[str]:
    """The images that are wanted there already: what is pulled is as the registry has it."""
    pulled = {op.image for s in plan.stacks for op in s.operations if isinstance(op, Pull)}
    services = (s for stack in plan.stacks for s in _entry(stack).get("services", {}).values())
    return sorted({service["definition"]["image"] for service in services} - pulled)


def _entry(stack: StackPlan) -> dict[str, Any]:
    return dict(json.loads(stack.entry)) if stack.entry else {}


def what_moved(then: Fingerprint, now: Fingerprint) -> list[str]:
    """What is not as it was, in words; nothing when all is."""
    return [
        *_compared(then.files, now.files, "file", _file_moved),
        *_compared(then.containers, now.containers, "container", _container_moved),
        *_compared(then.images, now.images, "image", _image_moved),
        *_host_moved(then, now),
    ]


def _compared(
    then: Mapping[str, Any],
    now: Mapping[str, Any],
    noun: str,
    moved: Callable[[Any, Any], list[str]],
) -> Iterator[str]:
    for name in sorted({*then, *now}):
        if name not in now:
            yield f"{noun} {name} is gone"
        elif name not in then:
            yield f"{noun} {name} is new"
        elif then[name] != now[name]:
            yield from (f"{noun} {name} {what}" for what in moved(then[name], now[name]))


def _file_moved(then: FileFacts, now: FileFacts) -> list[str]:
    if then.kind != now.kind:
        return ["is a link now" if now.kind == "l" else "is no link any more"]
    said = [f"has mode {now.mode}, had {then.mode}"] if then.mode != now.mode else []
    is_edited = then.digest != now.digest and _is_sealed(then) == _is_sealed(now)
    return [*said, *(["was edited"] if is_edited else [])]


def _is_sealed(file: FileFacts) -> bool:
    return file.digest.startswith("sealed:")


def _container_moved(then: ContainerFacts, now: ContainerFacts) -> list[str]:
    if then.id != now.id:
        return ["was replaced"]
    said = [f"is {now.state}, was {then.state}"] if then.state != now.state else []
    settings = differences(then.settings, now.settings, None)
    return [*said, *(f"has {each.field} {each.before}, had {each.after}" for each in settings)]


def _image_moved(then: str, now: str) -> list[str]:
    if not now:
        return ["is gone"]
    return ["points at another image now" if then else "is there now"]


def _host_moved(then: Fingerprint, now: Fingerprint) -> Iterator[str]:
    if then.root != now.root:
        yield f"its directory is {now.root}, was {then.root}"
    if now.generation is None:
        yield "its manifest cannot be read any more"
    elif then.generation != now.generation:
        yield f"manifest is at generation {now.generation}, was {then.generation}"
    elif then.manifest != now.manifest:
        yield f"manifest was edited, still generation {now.generation}"
