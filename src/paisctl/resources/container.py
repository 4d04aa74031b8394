"""A container as it is, reduced to the same fields as a service as it should be.

Input is what `docker inspect` prints (Engine API `ContainerInspect`), which shows the image's own
defaults mixed with what was asked for; the image is needed to tell the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paisctl.resources.compose import LABEL_DIGEST, LABEL_STACK, Fields

_COMPOSE = "com.docker.compose."
_NANOSECONDS = 1e9
_CPU_PERIOD = 100_000  # microseconds, the kernel's default


@dataclass(frozen=True)
class Container:
    """One container of a managed project."""

    inspected: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.inspected["Id"])

    @property
    def name(self) -> str:
        return str(self.inspected["Name"]).removeprefix("/")

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.inspected["Config"].get("Labels") or {})

    @property
    def project(self) -> str:
        return self.labels.get(_COMPOSE + "project", "")

    @property
    def service(self) -> str:
        return self.labels.get(_COMPOSE + "service", "")

    @property
    def project_folder(self) -> str:
        """Where its Compose file lay when it was made; empty when Compose did not say."""
        return self.labels.get(_COMPOSE + "project.working_dir", "")

    @property
    def is_one_off(self) -> bool:
        """Whether `docker compose run` made it: a person's own, for a while."""
        return self.labels.get(_COMPOSE + "oneoff") == "True"

    @property
    def stack(self) -> str:
        """The stack paisctl made it for; empty when paisctl did not make it."""
        return self.labels.get(LABEL_STACK, "")

    @property
    def digest(self) -> str:
        return self.labels.get(LABEL_DIGEST, "")

    @property
    def image(self) -> str:
        """The reference that it was made from."""
        return str(self.inspected["Config"]["Image"])

    @property
    def image_id(self) -> str:
        return str(self.inspected["Image"])

    @property
    def networks(self) -> list[str]:
        return sorted((self.inspected.get("NetworkSettings") or {}).get("Networks") or {})

    @property
    def started_at(self) -> str:
        """When it was started, as Docker writes it (RFC 3339); empty when it never was."""
        started = str(self.inspected["State"].get("StartedAt", ""))
        return "" if started.startswith("0001-") else started

    @property
    def state(self) -> str:
        """In a word or two: `healthy`, `running`, `starting`, `unhealthy`, `exited (1)`, …"""
        state = self.inspected["State"]
        status = str(state["Status"])
        if status in ("exited", "dead"):
            return f"{status} ({state.get('ExitCode', 0)})"
        if status == "running":
            health = (state.get("Health") or {}).get("Status", "none")
            return "running" if health in ("none", "") else str(health)
        return status

    @property
    def is_up(self) -> bool:
        """Whether there is something to stop."""
        return str(self.inspected["State"]["Status"]) in ("running", "paused", "restarting")

    @property
    def is_well(self) -> bool:
        """Running and not unhealthy, or a one-shot that ended with 0."""
        if self.state in ("running", "healthy", "starting"):
            return True
        policy = (self.inspected["HostConfig"].get("RestartPolicy") or {}).get("Name", "no")
        return self.state == "exited (0)" and policy in ("no", "", "on-failure")

    def fields(self, image: Mapping[str, Any]) -> Fields:
        """What of it can be compared with a service, as `live_fields` has it."""
        return live_fields(self, image)


def live_fields(container: Container, image: Mapping[str, Any]) -> Fields:
    """The comparable fields of a container.

    Args:
        container: the container.
        image: `docker image inspect` of its image; empty when the image is gone.
    """
    config, host = container.inspected["Config"], container.inspected["HostConfig"]
    default = image.get("Config") or {}
    result: Fields = {"image": str(config["Image"])}
    result |= _environment(config, default)
    result |= _labels(container, default)
    result["command"] = _unless_default(config.get("Cmd"), default.get("Cmd"))
    result["entrypoint"] = _unless_default(config.get("Entrypoint"), default.get("Entrypoint"))
    result["ports"] = sorted(_ports(host))
    result["mounts"] = sorted(_mounts(container.inspected))
    mode = str(host.get("NetworkMode", ""))
    result["networks"] = [mode] if mode in ("host", "none") else container.networks
    result["memory limit"] = int(host.get("Memory") or 0)
    result |= _limits(host)
    result["restart policy"] = _restart_policy(host.get("RestartPolicy") or {})
    check = _unless_default(config.get("Healthcheck"), default.get("Healthcheck"))
    result["health check"] = _healthcheck(check)
    result["capabilities added"] = _capabilities(host.get("CapAdd"))
    result["capabilities dropped"] = _capabilities(host.get("CapDrop"))
    result["security options"] = _security_options(host)
    result["read-only"] = bool(host.get("ReadonlyRootfs"))
    result["privileged"] = bool(host.get("Privileged"))
    tmpfs = (host.get("Tmpfs") or {}).items()
    result["tmpfs"] = sorted(f"{path}:{options}" if options else path for path, options in tmpfs)
    result["extra hosts"] = sorted(host.get("ExtraHosts") or [])
    result["pid mode"] = str(host.get("PidMode") or "")
    result["user"] = str(config.get("User") or "")
    result["stop signal"] = str(config.get("StopSignal") or "")
    result["stop timeout"] = float(config.get("StopTimeout") or 0)
    return result


def image_fields(image: Mapping[str, Any]) -> Fields:
    """What an image sets by itself, which `live_fields` leaves out."""
    default = image.get("Config") or {}
    pairs = (entry.partition("=") for entry in default.get("Env") or [])
    result: Fields = {f"environment {name}": value for name, _, value in pairs}
    result |= {f"label {name}": value for name, value in (default.get("Labels") or {}).items()}
    result["command"], result["entrypoint"] = default.get("Cmd"), default.get("Entrypoint")
    result["health check"] = _healthcheck(default.get("Healthcheck"))
    return result


def with_inherited(live: Fields, image: Fields, wanted: Fields) -> Fields:
    """What a container does, told as it was asked for.

    What was asked for is in it although the image does the same by itself; parts of a health check
    that were not asked for and are the image's are not (moby daemon/commit.go, `merge`).
    """
    asked_anyway = {
        name: value
        for name, value in image.items()
        if wanted.get(name) is not None and live.get(name) is None
    }
    result = live | asked_anyway
    asked, check = wanted.get("health check"), result.get("health check")
    if asked and check:
        default = image.get("health check") or {}
        result["health check"] = {
            key: value for key, value in check.items() if key in asked or default.get(key) != value
        }
    return result


def _environment(config: Mapping[str, Any], default: Mapping[str, Any]) -> Fields:
    """Every variable, but those that the image sets itself to the same value."""
    own = set(default.get("Env") or [])
    pairs = (entry for entry in config.get("Env") or [] if entry not in own)
    return {f"environment {k}": v for k, _, v in (entry.partition("=") for entry in pairs)}


def _labels(container: Container, default: Mapping[str, Any]) -> Fields:
    own = default.get("Labels") or {}
    return {
        f"label {key}": value
        for key, value in container.labels.items()
        if not key.startswith((_COMPOSE, "paisctl.")) and own.get(key) != value
    }


def _unless_default(value: Any, default: Any) -> Any:
    return None if not value or value == default else value


def _ports(host: Mapping[str, Any]) -> list[str]:
    return [
        f"{binding.get('HostIp', '')}:{binding.get('HostPort', '')}:{target}"
        for target, bindings in (host.get("PortBindings") or {}).items()
        for binding in bindings or []
    ]


def _mounts(inspected: Mapping[str, Any]) -> list[str]:
    result = []
    anonymous = {m.get("Destination") for m in inspected.get("Mounts") or [] if _is_anonymous(m)}
    for mount in inspected.get("Mounts") or []:
        if mount["Type"] == "tmpfs" or mount["Destination"] in anonymous:
            continue
        source = mount.get("Name") if mount["Type"] == "volume" else mount["Source"]
        # Docker Desktop shows a Mac's paths as its virtual machine sees them.
        source = str(source).removeprefix("/host_mnt")
        result.append(f"{source}:{mount['Destination']}{'' if mount.get('RW', True) else ':ro'}")
    return result


def _is_anonymous(mount: Mapping[str, Any]) -> bool:
    """Whether an image's VOLUME made it, rather than anybody's wish."""
    name = str(mount.get("Name", ""))
    is_hash = len(name) == 64 and all(c in "0123456789abcdef" for c in name)
    return mount["Type"] == "volume" and is_hash


def _limits(host: Mapping[str, Any]) -> Fields:
    """What `docker update` can change, besides memory and restarts."""
    quota, period = int(host.get("CpuQuota") or 0), int(host.get("CpuPeriod") or 0)
    cpus = (host.get("NanoCpus") or 0) / _NANOSECONDS
    return {
        "memory reservation": int(host.get("MemoryReservation") or 0),
        "processor limit": cpus or max(quota, 0) / (period or _CPU_PERIOD),
        "processor shares": int(host.get("CpuShares") or 0),
        "processors": str(host.get("CpusetCpus") or ""),
        "process limit": max(int(host.get("PidsLimit") or 0), 0),
    }


def _restart_policy(policy: Mapping[str, Any]) -> str:
    name = policy.get("Name") or "no"
    retries = policy.get("MaximumRetryCount") or 0
    return f"{name}:{retries}" if retries else str(name)


def _healthcheck(check: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Zero means "not set" to Docker, so such parts are left out; nanoseconds become seconds."""
    if not check:
        return None
    result: dict[str, Any] = {"test": list(check.get("Test") or [])}
    for key, name in (
        ("Interval", "interval"),
        ("Timeout", "timeout"),
        ("StartPeriod", "start_period"),
    ):
        if check.get(key):
            result[name] = check[key] / _NANOSECONDS
    if check.get("Retries"):
        result["retries"] = int(check["Retries"])
    return result


def _security_options(host: Mapping[str, Any]) -> list[str]:
    """Without the one that the engine adds itself to containers in a host namespace (moby daemon)."""
    options = set(host.get("SecurityOpt") or [])
    if "host" in (host.get("PidMode"), host.get("IpcMode")) or host.get("Privileged"):
        options.discard("label=disable")
    return sorted(options)


def _capabilities(value: Any) -> list[str]:
    return sorted(str(item).removeprefix("CAP_") for item in value or [])
