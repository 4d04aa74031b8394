"""A store on this machine, and members that are processes of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx

from paisctl.backup.events import BackupEvent
from paisctl.backup.store import Store
from paisctl.rendering.instances import Instance
from paisctl.transports import Channel, Completed
from paisctl.transports.local import LocalTransport
from tests.standin_cluster import StandinCluster, StandinNode


@dataclass
class LocalMember:
    """A member whose containers' commands run in a directory here; `node` is its Qdrant, if any."""

    device: str
    directory: Path
    node: StandinNode | None = None
    arch: str = "amd64"
    settings: dict[str, Any] = field(default_factory=dict)
    image: str = ""

    def setting(self, name: str) -> Any:
        return self.settings.get(name, "")

    def url(self, port: str) -> str:
        assert self.node is not None
        return {"rest": self.node.url, "p2p": self.node.uri}[port]

    def client(self, port: str) -> httpx.Client:
        return httpx.Client(base_url=self.url(port), timeout=30)

    def run(self, service: str, command: Sequence[str], stdin: bytes = b"") -> Completed:
        done = LocalTransport().run(self._command(service, command), stdin)
        printed = done.stdout.replace(f"{self.directory}/".encode(), b"/qdrant/")
        return Completed(done.exit_status, printed, done.stderr)

    def open(self, service: str, command: Sequence[str]) -> Channel:
        return LocalTransport().open(self._command(service, command))

    def beside(self, service: str, command: Sequence[str]) -> Completed:
        return self.run(service, command)

    def inspect(self, service: str) -> dict[str, Any]:
        return {"Name": service, "Config": {"Image": self.image}}

    def stop(self, service: str) -> None:
        assert self.node is not None, service
        self.node.stop()

    def on_host(self, command: str, stdin: bytes = b"") -> Completed:
        return LocalTransport().run(command, stdin)

    def _command(self, _service: str, command: Sequence[str]) -> str:
        """The command, with what the container has at `/qdrant` in the directory."""
        here = [word.replace("/qdrant/", f"{self.directory}/") for word in command]
        return f"cd {shlex.quote(str(self.directory))} && exec {shlex.join(here)}"


def members_of(cluster: StandinCluster) -> list[LocalMember]:
    return [LocalMember(node.name, node.directory, node) for node in cluster.nodes]


def store_at(path: Path) -> Store:
    path.parent.mkdir(parents=True, exist_ok=True)  # as the volume of a NAS
    return Store(LocalTransport(), "nas", str(path))


@dataclass
class Watched:
    """What was told."""

    events: list[BackupEvent] = field(default_factory=list)

    def __call__(self, event: BackupEvent) -> None:
        self.events.append(event)


def instances(stack: str, devices: Sequence[str]) -> list[Instance]:
    """As many of the settings of a stack's instances as a backup reads."""
    found = Mock(digest="0" * 64)
    found.name = stack
    made = []
    for device in devices:
        host = Mock()
        host.name = device
        made.append(Instance(host, found, {}, {stack: f"{stack}:v1"}, {}, {}, None, {}))
    return made
