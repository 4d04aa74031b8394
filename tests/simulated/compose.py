"""What Docker shows of the containers that Compose would make, written from Docker's side.

The Compose files are read as installed and none of paisctl's own models are used, so that a
mistake in those shows as a difference. Names and units are those of the Engine API
(ContainerInspect); how Compose fills them was read off `docker inspect`.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import shlex
from typing import Any

import yaml

Json = dict[str, Any]

IMAGE_DEFAULTS: Json = {
    "Env": ["PATH=/usr/bin:/bin", "LANG=C.UTF-8"],
    "Cmd": ["serve"],
    "Entrypoint": ["/entrypoint.sh"],
    "Labels": {"org.opencontainers.image.vendor": "example"},
    "Volumes": {"/cache": {}},
    "User": "daemon",
}
_UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_NANOSECONDS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_TMPFS = "tmpfs"


def read_project(compose: str, override: str = "") -> Json:
    """The services of a Compose file with its override laid over, as Compose would read them."""
    project: Json = _interpolated(yaml.safe_load(compose))
    for name, service in _interpolated(yaml.safe_load(override) or {}).get("services", {}).items():
        project["services"][name].setdefault("environment", {}).update(service["environment"])
    return project


def _interpolated(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _interpolated(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_interpolated(item) for item in value]
    if isinstance(value, str):
        assert "$" not in value.replace("$$", ""), f"Compose would interpolate {value!r}"
        return value.replace("$$", "$")
    return value


def image(reference: str, version: str = "") -> Json:
    """`docker image inspect` of an image; another `version` gives it another id."""
    digest = hashlib.sha256(f"{reference} {version}".encode()).hexdigest()
    return {
        "Id": f"sha256:{digest}",
        "RepoTags": [reference.removeprefix("docker.io/").removeprefix("library/")],
        "RepoDigests": [],
        "Config": dict(IMAGE_DEFAULTS),
    }


def inspect(project: Json, name: str, directory: str, image_id: str, number: int) -> Json:
    """`docker inspect` of a container that was just made and is well."""
    service, stack = project["services"][name], project["name"]
    mode = service.get("network_mode")
    networks = [mode] if mode else [f"{stack}_{n}" for n in service.get("networks", ["default"])]
    return {
        "Id": hashlib.sha256(f"{stack} {name} {number}".encode()).hexdigest(),
        "Name": f"/{stack}-{name}-1",
        "Image": image_id,
        "Config": _config(service, stack, name),
        "HostConfig": _host_config(service, networks[0]),
        "Mounts": [*_mounts(service, stack, directory), _image_volume(name)],
        "NetworkSettings": {"Networks": {network: {} for network in networks}},
        "State": _state(service),
    }


def _config(service: Json, stack: str, name: str) -> Json:
    own = {k: _text(v) for k, v in service.get("environment", {}).items()}
    defaults = dict(entry.split("=", 1) for entry in IMAGE_DEFAULTS["Env"])
    labels = {k: _text(v) for k, v in service.get("labels", {}).items()}
    compose = {"com.docker.compose.project": stack, "com.docker.compose.service": name}
    return {
        "Image": service["image"],
        "Env": [f"{key}={value}" for key, value in (defaults | own).items()],
        "Labels": IMAGE_DEFAULTS["Labels"] | compose | labels,
        "Cmd": _words(service.get("command"), IMAGE_DEFAULTS["Cmd"]),
        "Entrypoint": _words(service.get("entrypoint"), IMAGE_DEFAULTS["Entrypoint"]),
        "Healthcheck": _health_check(service.get("healthcheck")),
        "User": _text(service.get("user", IMAGE_DEFAULTS["User"])),
        "StopSignal": service.get("stop_signal", ""),
        "StopTimeout": _nanoseconds(service.get("stop_grace_period", "0s")) // 10**9 or None,
    }


def _host_config(service: Json, network: str) -> Json:
    policy, _, retries = str(service.get("restart", "no")).partition(":")
    resources = service.get("deploy", {}).get("resources", {})
    limits, reserved = resources.get("limits", {}), resources.get("reservations", {})
    return {
        "Memory": _bytes(service.get("mem_limit", limits.get("memory", 0))),
        "MemoryReservation": _bytes(service.get("mem_reservation", reserved.get("memory", 0))),
        "NanoCpus": int(float(service.get("cpus", limits.get("cpus", 0))) * 10**9),
        "CpuShares": service.get("cpu_shares", 0),
        "CpuPeriod": service.get("cpu_period", 0),
        "CpuQuota": service.get("cpu_quota", 0),
        "CpusetCpus": service.get("cpuset", ""),
        "PidsLimit": service.get("pids_limit", limits.get("pids")),
        "RestartPolicy": {"Name": policy, "MaximumRetryCount": int(retries or 0)},
        "PortBindings": _ports(service.get("ports", [])),
        "CapAdd": [f"CAP_{c}" if c != "ALL" else c for c in service.get("cap_add", [])] or None,
        "CapDrop": [f"CAP_{c}" if c != "ALL" else c for c in service.get("cap_drop", [])] or None,
        "SecurityOpt": service.get("security_opt") or None,
        "ReadonlyRootfs": service.get("read_only", False),
        "Privileged": service.get("privileged", False),
        "Tmpfs": dict(_tmpfs(entry) for entry in service.get("tmpfs", [])),
        "ExtraHosts": service.get("extra_hosts", []),
        "PidMode": service.get("pid", ""),
        "NetworkMode": network,
    }


def _state(service: Json) -> Json:
    state: Json = {"Status": "running", "ExitCode": 0, "StartedAt": "2026-05-04T10:20:30.5Z"}
    if _text(service.get("restart", "no")) == "no":
        state["Status"] = "exited"
    elif "healthcheck" in service:
        state["Health"] = {"Status": "healthy"}
    return state


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _words(command: Any, default: list[str]) -> list[str] | None:
    """An empty command is not the image's: it clears that."""
    if command is None:
        return default
    return (shlex.split(command) if isinstance(command, str) else command) or None


def _bytes(size: Any) -> int:
    match = re.fullmatch(r"([0-9.]+)([bkmg]?)", str(size))
    assert match, f"{size!r} is not a size"
    return int(float(match[1]) * _UNITS[match[2]])


def _nanoseconds(duration: str) -> int:
    parts = re.findall(r"([0-9]+)(ms|s|m|h)", duration)
    assert "".join(n + unit for n, unit in parts) == duration, f"{duration!r} is no duration"
    return sum(int(number) * _NANOSECONDS[unit] for number, unit in parts)


def _health_check(check: Json | None) -> Json | None:
    if check is None:
        return None
    if check.get("disable"):
        return {"Test": ["NONE"]}
    test = check.get("test")
    return {
        "Test": ["CMD-SHELL", test] if isinstance(test, str) else test,
        "Interval": _nanoseconds(check.get("interval", "0s")),
        "Timeout": _nanoseconds(check.get("timeout", "0s")),
        "StartPeriod": _nanoseconds(check.get("start_period", "0s")),
        "Retries": check.get("retries", 0),
    }


def _ports(ports: list[Any]) -> Json:
    bindings: dict[str, list[Json]] = {}
    for port in ports:
        match = re.fullmatch(r"(?:(?:\[(.+)\]|([0-9.]+)):)?(\d+):(\d+)(?:/(\w+))?", str(port))
        assert match, f"{port!r} is not a published port"
        binding = {"HostIp": match[1] or match[2] or "", "HostPort": match[3]}
        bindings.setdefault(f"{match[4]}/{match[5] or 'tcp'}", []).append(binding)
    return bindings


def _tmpfs(entry: str) -> tuple[str, str]:
    path, _, options = entry.partition(":")
    return path, options


def _mounts(service: Json, stack: str, directory: str) -> list[Json]:
    mounts = []
    for volume in service.get("volumes", []):
        if isinstance(volume, dict):
            kind, source = volume["type"], volume.get("source", "")
            target, read_only = volume["target"], volume.get("read_only", False)
        else:
            source, target, *options = volume.split(":")
            kind = "bind" if source.startswith((".", "/")) else "volume"
            read_only = options == ["ro"]
        mount = {"Type": kind, "Destination": target.rstrip("/") or "/", "RW": not read_only}
        if kind == "bind":
            absolute = posixpath.normpath(posixpath.join(directory, source))
            mount["Source"] = absolute.rstrip("/") or "/"
        elif kind == "volume":
            mount["Name"] = f"{stack}_{source}"
            mount["Source"] = f"/var/lib/docker/volumes/{stack}_{source}/_data"
        mounts.append(mount)
    return mounts


def _image_volume(name: str) -> Json:
    """The volume without a name that Docker makes for a VOLUME of an image."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    source = f"/var/lib/docker/volumes/{digest}/_data"
    return {
        "Type": "volume",
        "Name": digest,
        "Source": source,
        "Destination": "/cache",
        "RW": True,
    }
