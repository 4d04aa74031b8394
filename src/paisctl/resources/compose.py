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
from posixpath import normpath
from typing import Any

from paisctl.inventory.types import parse_duration, parse_size

Fields = dict[str, Any]

# A container shows these even when nobody asked for them, so they count only when somebody did.
OPTIONAL = ("user", "stop signal", "stop timeout")

LABEL_STACK = "paisctl.stack"
LABEL_DIGEST = "paisctl.digest"


@dataclass(frozen=True)
class ServiceSpec:
    """One service of a stack, as rendered.

    `definition` is the service in Compose's words without paisctl's own labels, secrets as
    tokens. `mounted` are digests of files whose change recreates the container. `sealed` are keyed
    digests of the secret environment values of a service that comes from a generation: its
    secrets may have other values now. None means: as they are now.
    """

    name: str
    definition: Mapping[str, Any]
    mounted: Mapping[str, str] = field(default_factory=dict)
    sealed: Mapping[str, str] | None = None

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
    # An empty one clears the image's, and Docker shows nothing then.
    result["command"] = argv(definition.get("command")) or None
    result["entrypoint"] = argv(definition.get("entrypoint")) or None
    result["ports"] = sorted(_ports(definition.get("ports") or []))
    result["mounts"] = sorted(_mounts(definition.get("volumes") or [], project, directory))
    result["networks"] = _networks(definition, project)
    result |= _limits(definition)
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
        # Compose passes whole seconds on.
        result["stop timeout"] = float(int(parse_duration(definition["stop_grace_period"])))
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
        target = normpath(target)
        if source.startswith("."):
            source = normpath(f"{directory}/{source}")
        elif source.startswith("/"):
            source = normpath(source)
        else:
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


def _limits(definition: Mapping[str, Any]) -> Fields:
    """What `docker update` can change, from Compose's two places for it; 0 means none."""
    resources = (definition.get("deploy") or {}).get("resources") or {}
    limits, reservations = resources.get("limits") or {}, resources.get("reservations") or {}
    memory = definition.get("mem_limit", limits.get("memory"))
    reserved = definition.get("mem_reservation", reservations.get("memory"))
    return {
        "memory limit": parse_size(memory) if memory else 0,
        "memory reservation": parse_size(reserved) if reserved else 0,
        "processor limit": _processors(definition, limits),
        "processor shares": int(definition.get("cpu_shares") or 0),
        "processors": scalar(definition.get("cpuset")),
        "process limit": max(int(definition.get("pids_limit", limits.get("pids")) or 0), 0),
    }


def _processors(definition: Mapping[str, Any], limits: Mapping[str, Any]) -> float:
    """How many processors' time it may use; CFS quota and period are in microseconds."""
    cpus = float(definition.get("cpus", limits.get("cpus")) or 0)
    quota = int(definition.get("cpu_quota") or 0)
    return cpus or max(quota, 0) / int(definition.get("cpu_period") or 100_000)


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
    result: dict[str, Any] = {}
    if test:  # else the image's
        result["test"] = ["CMD-SHELL", test] if isinstance(test, str) else list(map(scalar, test))
    for key in ("interval", "timeout", "start_period"):
        if key in value:
            result[key] = parse_duration(value[key])
    if "retries" in value:
        result["retries"] = int(value["retries"])
    return result
