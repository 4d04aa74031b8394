"""What was last applied to a host, as the host itself keeps it.

`<root>/manifest.json` is JSON with one line per stack, so that a POSIX shell can put it together
from the lines of the stacks that succeeded and the old lines of those that did not. It holds no
secret: definitions carry tokens, and secret values are there as keyed digests only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from paisctl.desired import StackSpec
from paisctl.resources.compose import ServiceSpec, as_mapping
from paisctl.resources.file import FileState
from paisctl.secrets import Vault, has_token

VERSION = 1
_NAME = re.compile(r"[a-z0-9-]+")  # of a stack: also the name of a directory


@dataclass(frozen=True)
class AppliedStack:
    """One stack as it was last applied.

    `sealed` are keyed digests of secret environment values, by service and variable.
    """

    name: str
    services: Mapping[str, ServiceSpec] = field(default_factory=dict)
    sealed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[str, FileState] = field(default_factory=dict)
    secret_files: frozenset[str] = frozenset()
    inputs: Mapping[str, str] = field(default_factory=dict)
    bundle_digest: str = ""
    line: str = ""


@dataclass(frozen=True)
class Manifest:
    """What is managed on a host. A host that was never applied to has an empty one."""

    generation: int = 0
    stacks: Mapping[str, AppliedStack] = field(default_factory=dict)


class UnusableManifest(ValueError):
    """A manifest that is damaged, or not ours; the message says which."""


class NewerManifest(UnusableManifest):
    """A manifest that a newer paisctl has written, and knows how to read."""


def parse_manifest(text: str) -> Manifest:
    """Read a host's manifest.

    Raises:
        UnusableManifest: it cannot be trusted to say what is managed.
    """
    if not text.strip():
        return Manifest()
    try:
        data = json.loads(text)
    except ValueError:
        raise UnusableManifest("its manifest.json is damaged: not valid JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("paisctl"), int):
        raise UnusableManifest("its manifest.json was not written by paisctl")
    if data["paisctl"] > VERSION:
        raise NewerManifest("its manifest.json was written by a newer paisctl")
    try:
        stacks = {
            name: _parse_stack(name, entry) for name, entry in _mapping(data["stacks"]).items()
        }
        return Manifest(int(data["generation"]), stacks)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UnusableManifest("its manifest.json is damaged: parts are missing") from None


def _parse_stack(name: str, entry: Any) -> AppliedStack:
    if not _NAME.fullmatch(name):
        raise ValueError
    services = {
        service: ServiceSpec(service, _mapping(value["definition"]), _mapping(value["mounted"]))
        for service, value in _mapping(entry["services"]).items()
    }
    files = {
        path: FileState(path, value["mode"], value["digest"])
        for path, value in _mapping(entry["files"]).items()
    }
    return AppliedStack(
        name,
        services,
        {service: _mapping(value["sealed"]) for service, value in entry["services"].items()},
        files,
        frozenset(path for path, value in entry["files"].items() if value["secret"]),
        _mapping(entry["inputs"]),
        entry["bundle"],
        json.dumps(entry, sort_keys=True, ensure_ascii=True),
    )


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def manifest_line(stack: StackSpec, vault: Vault) -> str:
    """The line of a stack in the manifest, once it has been applied."""
    services = {
        name: {
            "definition": service.definition,
            "mounted": dict(service.mounted),
            "sealed": sealed_environment(service, vault),
        }
        for name, service in stack.services.items()
    }
    files = {
        path: {"mode": file.mode, "digest": file.digest(vault), "secret": file.secret}
        for path, file in stack.files.items()
    }
    inputs = {name: value.text for name, value in stack.inputs.items()}
    entry = {
        "services": services,
        "files": files,
        "inputs": inputs,
        "bundle": stack.bundle_digest,
    }
    return json.dumps(entry, sort_keys=True, ensure_ascii=True)


def sealed_environment(service: ServiceSpec, vault: Vault) -> dict[str, str]:
    """Keyed digests of a service's secret environment values."""
    environment = as_mapping(service.definition.get("environment"))
    return {k: vault.seal(vault.reveal(v)) for k, v in environment.items() if has_token(v)}
