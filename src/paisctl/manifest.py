"""What was last applied to a host, as the host itself keeps it.

`<root>/manifest.json` is JSON with one line per stack, so that a POSIX shell can put it together
from the lines of the stacks that succeeded and the old lines of those that did not. It holds no
secret: definitions carry tokens, and secret values are there as keyed digests only.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from paisctl.desired import GateSpec, Key, StackSpec
from paisctl.resources.compose import ServiceSpec, as_mapping
from paisctl.resources.file import FileAction, FileCheck, FileSpec
from paisctl.secrets import Vault, has_token

VERSION = 1
_MANY = 10**9  # more generations than shells and people can count
_NAME = re.compile(r"[a-z0-9-]+")  # of a stack: also the name of a directory


@dataclass(frozen=True, slots=True)
class AppliedFile:
    """A file of a stack as it was last applied. `digest` is keyed when it is secret."""

    mode: str
    digest: str
    secret: bool
    check: FileCheck | None
    action: FileAction
    service: str | None
    signal: str | None


@dataclass(frozen=True)
class AppliedStack:
    """One stack as it was last applied.

    `sealed` are keyed digests of secret environment values, by service and variable. `resting` are
    the services that were to be stopped. `adopted` are containers that somebody else had made, by ID,
    and the digest of the service that each was found to be like: they have no label that says it.
    `line` is its text in the manifest.
    """

    name: str
    services: Mapping[str, ServiceSpec] = field(default_factory=dict)
    sealed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[str, AppliedFile] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[Key, ...] = ()
    gates: tuple[GateSpec, ...] = ()
    health_timeout: float = 0.0
    bundle_digest: str = ""
    line: str = ""
    resting: tuple[str, ...] = ()
    adopted: Mapping[str, str] = field(default_factory=dict)

    @property
    def revision(self) -> str:
        return revision_of(self.line)


@dataclass(frozen=True)
class Manifest:
    """What is managed on a host. A host that was never applied to has an empty one.

    `fleet` and `device` say whose host it is.
    """

    generation: int = 0
    stacks: Mapping[str, AppliedStack] = field(default_factory=dict)
    fleet: str = ""
    device: str = ""


class UnusableManifest(ValueError):
    """A manifest that is damaged, or not ours; the message says which."""


class NewerManifest(UnusableManifest):
    """A manifest that a newer paisctl has written, and knows how to read."""


def revision_of(line: str) -> str:
    """The name under which a host keeps the files of a stack with this line in the manifest."""
    return hashlib.sha256(line.encode()).hexdigest()[:16]


def parse_manifest(text: str) -> Manifest:
    """Read a host's manifest.

    Raises:
        UnusableManifest: it cannot be trusted to say what is managed.
    """
    if not text.strip():
        return Manifest()
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise UnusableManifest("its manifest.json is damaged: not valid JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("paisctl"), int):
        raise UnusableManifest("its manifest.json was not written by paisctl")
    if data["paisctl"] > VERSION:
        raise NewerManifest("its manifest.json was written by a newer paisctl")
    try:
        stacks = {
            name: _parse_stack(name, entry) for name, entry in _mapping(data["stacks"]).items()
        }
        owner = {name: str(data.get(name, "")) for name in ("fleet", "device")}
        return Manifest(_natural(data["generation"]), stacks, **owner)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UnusableManifest("its manifest.json is damaged: parts are missing") from None


def _parse_stack(name: str, entry: Any) -> AppliedStack:
    if not _NAME.fullmatch(name):
        raise ValueError
    return AppliedStack(
        name,
        {
            service: ServiceSpec(service, _mapping(value["definition"]), _mapping(value["mounted"]))
            for service, value in _mapping(entry["services"]).items()
        },
        {service: _mapping(value["sealed"]) for service, value in entry["services"].items()},
        {path: _parse_file(value) for path, value in _mapping(entry["files"]).items()},
        _mapping(entry["inputs"]),
        tuple((device, stack) for device, stack in entry["needs"]),
        tuple(_parse_gate(gate) for gate in entry["gates"]),
        float(entry["health_timeout"]),
        entry["bundle"],
        record_line(entry),
        tuple(map(str, entry.get("resting", ()))),
        {str(key): str(value) for key, value in _mapping(entry.get("adopted", {})).items()},
    )


def _parse_file(value: Any) -> AppliedFile:
    check = value["check"] and FileCheck(
        value["check"]["service"], tuple(value["check"]["command"])
    )
    return AppliedFile(**{**_mapping(value), "check": check})


def _parse_gate(value: Any) -> GateSpec:
    return GateSpec(**{**_mapping(value), "command": tuple(value["command"])})


def _natural(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MANY:
        raise ValueError
    return value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def manifest_line(
    stack: StackSpec, vault: Vault, adopted: Mapping[str, str] = MappingProxyType({})
) -> str:
    """The line of a stack in the manifest, once it has been applied.

    What few stacks have is in it only if they do, so that other lines stay as they always were.

    Args:
        stack: what was applied.
        vault: for keyed digests.
        adopted: the containers that somebody else had made, by ID, and what they are like.
    """
    rare = {"resting": stack.resting, "adopted": dict(sorted(adopted.items()))}
    return record_line(
        {
            "services": {
                name: {
                    "definition": service.definition,
                    "mounted": dict(service.mounted),
                    "sealed": sealed_environment(service, vault),
                }
                for name, service in stack.services.items()
            },
            "files": {
                path: asdict(applied_file(file, vault)) for path, file in stack.files.items()
            },
            "inputs": {name: value.text for name, value in stack.inputs.items()},
            "needs": stack.needs,
            "gates": [asdict(gate) for gate in stack.gates],
            "health_timeout": stack.health_timeout,
            "bundle": stack.bundle_digest,
            **{key: value for key, value in rare.items() if value},
        }
    )


def record_line(entry: Any) -> str:
    """The text of a stack's entry, always the same for the same entry."""
    return json.dumps(entry, sort_keys=True, ensure_ascii=True)


def applied_file(file: FileSpec, vault: Vault) -> AppliedFile:
    """What the manifest says of a file once it has been applied."""
    digest = file.digest(vault)
    return AppliedFile(
        file.mode, digest, file.secret, file.check, file.action, file.service, file.signal
    )


def sealed_environment(service: ServiceSpec, vault: Vault) -> Mapping[str, str]:
    """Keyed digests of a service's secret environment values."""
    if service.sealed is not None:
        return service.sealed
    environment = as_mapping(service.definition.get("environment"))
    return {k: vault.seal(vault.reveal(v)) for k, v in environment.items() if has_token(v)}
