"""A Compose service as it should be, reduced to fields that can be compared with a container.

The rendered definition is in Compose's own words (compose-spec); `fields` turns each part that a
container shows into one flat, sorted, JSON-like value, named as a person would name it.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from paisctl.inventory.types import parse_duration, parse_size

Fields = dict[str, Any]

LABEL_STACK = "paisctl.stack"
LABEL_DIGEST = "paisctl.digest"


@dataclass(frozen=True)
class ServiceSpec:
    """One service of a stack, as rendered.

    `definition` is the service in Compose's words without paisctl's own labels, secrets as
    tokens. `mounted` are digests of files whose change recreates the container.
    """

    name: str
    definition: Mapping[str, Any]
    mounted: Mapping[str, str] = field(default_factory=dict)

    @property
    def image(self) -> str:
        return str(self.definition["image"])

    @property
    def digest(self) -> str:
        """What the container carries as a label: its definition and what it mounts."""
        whole = {"definition": self.definition, "mounted": dict(self.mounted)}
        text = json.dumps(whole, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def as_mapping(value: Any) -> dict[str, str]:
    """A mapping from Compose's two ways to write one: a mapping, or a list of `K=V`."""
    if isinstance(value, dict):
        return {str(k): scalar(v) for k, v in value.items()}
    return dict(str(item).partition("=")[::2] for item in value or [])


def scalar(value: Any) -> str:
    """A scalar as Compose passes it on: true and false in lower case, null empty."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def argv(value: Any) -> list[str] | None:
    """A command from Compose's two ways to write one: a list, or a line for a shell's eyes."""
    if value is None:
        return None
    return shlex.split(value) if isinstance(value, str) else [scalar(item) for item in value]


def fields(service: ServiceSpec, project: str, directory: str) -> Fields:
    """The comparable fields of a service.

    Args:
        service: what was rendered.
        project: the Compose project, which prefixes networks and volumes.
        directory: the stack's absolute directory on the host, which relative mounts start from.
    """
    definition = service.definition
    result: Fields = {"image": service.image}
    for key, value in as_mapping(definition.get("environment")).items():
        result[f"environment {key}"] = value
    for key, value in as_mapping(definition.get("labels")).items():
        result[f"label {key}"] = value
    result["command"] = argv(definition.get("command"))
    result["entrypoint"] = argv(definition.get("entrypoint"))
    result["ports"] = sorted(_ports(definition.get("ports") or []))
    result["mounts"] = sorted(_mounts(definition.get("volumes") or [], project, directory))
    result["networks"] = _networks(definition, project)
    result["memory limit"] = _memory(definition)
    result["restart policy"] = str(definition.get("restart", "no"))
    result["health check"] = _healthcheck(definition.get("healthcheck"))
    result["capabilities added"] = _capabilities(definition.get("cap_add"))
    result["capabilities dropped"] = _capabilities(definition.get("cap_drop"))
    result["security options"] = sorted(map(str, definition.get("security_opt") or []))
    result["read-only"] = bool(definition.get("read_only", False))
    result["privileged"] = bool(definition.get("privileged", False))
    result["tmpfs"] = sorted(_as_list(definition.get("tmpfs")))
    result["extra hosts"] = sorted(_extra_hosts(definition.get("extra_hosts")))
    result["pid mode"] = str(definition.get("pid", ""))
    if "user" in definition:
        result["user"] = scalar(definition["user"])
    if "stop_signal" in definition:
        result["stop signal"] = str(definition["stop_signal"])
    if "stop_grace_period" in definition:
        result["stop timeout"] = parse_duration(definition["stop_grace_period"])
    return result


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value or []]


def _ports(ports: list[Any]) -> Iterator[str]:
    for port in ports:
        if isinstance(port, dict):
            protocol = port.get("protocol", "tcp")
            host, published = port.get("host_ip", ""), port.get("published", "")
            yield f"{host}:{published}:{port['target']}/{protocol}"
        else:
            text, _, protocol = str(port).partition("/")
            host_side, _, target = text.rpartition(":")
            host, _, published = host_side.rpartition(":")
            yield f"{host.strip('[]')}:{published}:{target}/{protocol or 'tcp'}"


def _mounts(volumes: list[Any], project: str, directory: str) -> Iterator[str]:
    for volume in volumes:
        if isinstance(volume, dict) and volume.get("type") == "tmpfs":
            continue
        source, target, read_only = _mount(volume)
        if source.startswith("."):
            source = f"{directory}/{source[1:].lstrip('/')}".rstrip("/")
        elif not source.startswith(("/", "~")):
            source = f"{project}_{source}"
        yield f"{source}:{target}{':ro' if read_only else ''}"


def _mount(volume: Any) -> tuple[str, str, bool]:
    if isinstance(volume, dict):
        return (
            str(volume.get("source", "")),
            str(volume["target"]),
            bool(volume.get("read_only", False)),
        )
    source, target, *options = str(volume).split(":")
    return source, target, "ro" in ",".join(options).split(",")


def relative_mounts(service: ServiceSpec) -> tuple[str, ...]:
    """The mounts of a service that come from the stack's own directory, as `path:target`."""
    mounts = map(_mount, service.definition.get("volumes") or [])
    return tuple(
        f"{source.removeprefix('.').lstrip('/')}:{target}"
        for source, target, _ in mounts
        if source.startswith(".")
    )


def _networks(definition: Mapping[str, Any], project: str) -> list[str]:
    mode = definition.get("network_mode")
    if mode:
        return [str(mode)]
    names = definition.get("networks") or ["default"]
    return sorted(f"{project}_{name}" for name in names)


def _memory(definition: Mapping[str, Any]) -> int:
    resources = (definition.get("deploy") or {}).get("resources") or {}
    limits = resources.get("limits") or {}
    limit = definition.get("mem_limit", limits.get("memory"))
    return parse_size(limit) if limit else 0


def _capabilities(value: Any) -> list[str]:
    return sorted(str(item).removeprefix("CAP_") for item in value or [])


def _extra_hosts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{name}:{address}" for name, address in value.items()]
    return [str(item).replace("=", ":", 1) for item in value or []]


def _healthcheck(value: Any) -> dict[str, Any] | None:
    """Seconds instead of duration texts; None when the image's own check is used."""
    if not value:
        return None
    test = value.get("test")
    if value.get("disable") or test in (["NONE"], "NONE"):
        return {"test": ["NONE"]}
    result: dict[str, Any] = {
        "test": ["CMD-SHELL", test] if isinstance(test, str) else [scalar(t) for t in test or []]
    }
    for key in ("interval", "timeout", "start_period"):
        if key in value:
            result[key] = parse_duration(value[key])
    if "retries" in value:
        result["retries"] = int(value["retries"])
    return result
