"""Desired state: what rendering makes and reconciling compares. Frozen, without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from paisctl.diagnostics import Mark
from paisctl.resources.compose import ServiceSpec
from paisctl.resources.file import FileSpec

Key = tuple[str, str]  # (device, stack)


@dataclass(frozen=True, slots=True)
class Input:
    """A setting that a stack was rendered from, as text, and where it was written."""

    text: str
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class GateSpec:
    """A command in a running service that must exit with 0. `timeout` is in seconds."""

    description: str
    service: str
    command: tuple[str, ...]
    timeout: float


@dataclass(frozen=True, slots=True)
class StackSpec:
    """One stack on one host.

    `files` include the Compose files, by path relative to the stack's directory. `needs` are the
    stacks, here or elsewhere, that are applied first. `health_timeout` is in seconds. `resting` are
    the services that are kept stopped.
    """

    device: str
    name: str
    services: Mapping[str, ServiceSpec]
    files: Mapping[str, FileSpec]
    inputs: Mapping[str, Input]
    needs: tuple[Key, ...]
    gates: tuple[GateSpec, ...]
    health_timeout: float
    bundle_digest: str
    mark: Mark | None
    resting: tuple[str, ...] = ()

    @property
    def project(self) -> str:
        """The Compose project: a stack is alone with its name on a host."""
        return self.name


@dataclass(frozen=True, slots=True)
class Ignored:
    """A difference that is left alone.

    `subject` and `field` are as in a change: `service redis` and `memory limit`, or `file
    redis.conf` and nothing.
    """

    stack: str
    subject: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class HostSpec:
    """Everything that should be on one host.

    `root` may begin with `~/`. `fleet` is the name of the fleet it belongs to, `renamed_from` the
    name it has had before; both may be empty. One that is not `required` may be asleep.
    """

    device: str
    root: str
    stacks: Mapping[str, StackSpec]
    fleet: str = ""
    renamed_from: str = ""
    ignored: tuple[Ignored, ...] = ()
    required: bool = True

    @property
    def images(self) -> tuple[str, ...]:
        """The references of all images that its services run, each once."""
        services = (each for stack in self.stacks.values() for each in stack.services.values())
        return tuple(sorted({service.image for service in services}))
