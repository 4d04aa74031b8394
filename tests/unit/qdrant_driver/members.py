"""Members of a cluster that runs as local processes, and a journal in memory."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from paisctl.cluster.driver import Answer, Ask
from paisctl.transports import Channel, Completed
from qdrant_driver.driver import QdrantRollout
from qdrant_driver.nodes import Nodes
from tests.standin_cluster import StandinCluster, StandinNode, standin_cluster

KEY = "a-key"
HOSTNAME = "0123456789ab"
IMAGE = "qdrant/qdrant:v1.19.0@sha256:0123"  # that the containers were made from


@dataclass
class LocalMember:
    """A stand-in process in the place of a container; its directory in that of `/qdrant`.

    `container` is laid over what Docker would say about it.
    """

    node: StandinNode
    container: dict[str, Any] = field(default_factory=dict)
    arch: str = "amd64"

    @property
    def device(self) -> str:
        return self.node.name

    def setting(self, name: str) -> Any:
        return {"api_key": KEY}[name]

    def url(self, port: str) -> str:
        return {"rest": self.node.url, "p2p": self.node.uri}[port]

    def client(self, port: str) -> httpx.Client:
        return httpx.Client(base_url=self.url(port), trust_env=False)

    def run(self, service: str, command: Sequence[str], stdin: bytes = b"") -> Completed:
        if not self.node.is_running:
            return Completed(125, b"", f"no container of {service} runs".encode())
        return self._in_place(command, stdin)

    def open(self, service: str, command: Sequence[str]) -> Channel:
        raise NotImplementedError

    def beside(self, service: str, command: Sequence[str]) -> Completed:
        assert service == "qdrant"
        return self._in_place(command)

    def inspect(self, service: str) -> dict[str, Any]:
        assert service == "qdrant"
        status = "running" if self.node.is_running else "exited"
        state = {"Status": status, "ExitCode": 0, "StartedAt": "2026-11-22T20:00:00Z"}
        described = {
            "State": state,
            "RestartCount": 0,
            "Config": {"Hostname": HOSTNAME, "Image": IMAGE},
        }
        return {**described, **self.container}

    def stop(self, service: str) -> None:
        assert service == "qdrant"
        if self.node.is_running:
            self.node.stop()

    def on_host(self, command: str, stdin: bytes = b"") -> Completed:
        raise NotImplementedError

    def _in_place(self, command: Sequence[str], stdin: bytes = b"") -> Completed:
        here = f"{self.node.directory}/"
        ours = [part.replace("/qdrant/", here).replace("id -u", "echo 0") for part in command]
        done = subprocess.run(ours, input=stdin, capture_output=True, check=False)
        output = done.stdout.replace(here.encode(), b"/qdrant/")
        return Completed(done.returncode, output, done.stderr)


@dataclass
class MemoryJournal:
    """Keeps what JSON keeps of a value."""

    values: dict[str, str] = field(default_factory=dict)

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def keep(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)


@dataclass
class Lab:
    """A cluster, its members and the driver for it; `said` is what the driver told."""

    cluster: StandinCluster
    members: dict[str, LocalMember]
    driver: QdrantRollout
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    said: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    @property
    def nodes(self) -> Nodes:
        return self.driver.nodes


@contextmanager
def lab(directory: Path, **options: Any) -> Iterator[Lab]:
    """Three members that agree, on version 1.18.3."""
    with standin_cluster(directory, **{"version": "1.18.3", "api_key": KEY, **options}) as cluster:
        members = {node.name: LocalMember(node) for node in cluster.nodes}
        nodes = Nodes(list(members.values()), sleep=_briefly)
        yield Lab(cluster, members, QdrantRollout(nodes))


def _briefly(seconds: float) -> None:
    time.sleep(min(seconds, 0.3))


def passes(ask: Ask, seconds: float = 15.0) -> Answer:
    """Ask until a gate is passed; the last answer, passed or not."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()).passed and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer
