"""A lab host as it really is, read past its sshd and past every tool: for that, root is needed.

`/proc/PID` of the container's first process leads to its files, its counters and its engine's
socket. Nothing is started for it, so that looking costs the machine next to nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

ROOT = Path("opt/paisctl")
WEB_PORT = 8080
# Nothing here speaks TLS; but each client would load all authorities, which takes longer than looking.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True, slots=True)
class Container:
    """A container, by what a tool may change of it."""

    id: str
    image: str
    status: str


@dataclass(frozen=True, slots=True)
class Counters:
    """What has gone through a host's network (bytes, both ways) and what its sshd has started."""

    traffic: int
    executions: int

    def __sub__(self, before: Counters) -> Counters:
        return Counters(self.traffic - before.traffic, self.executions - before.executions)


@dataclass(frozen=True)
class Machine:
    """A host of the lab. `process` is the container's first process on this machine."""

    device: str
    address: str
    process: int

    def containers(self) -> dict[str, Container]:
        """All containers of its engine, by name."""
        with self._engine() as client:
            found = client.get("/containers/json", params={"all": "true"}).raise_for_status().json()
        return {each["Names"][0]: _container(each) for each in found}

    def started(self, name: str) -> float:
        """When a container of its engine was started last, in seconds since 1970."""
        with self._engine() as client:
            found = client.get(f"/containers/{name.lstrip('/')}/json").raise_for_status().json()
        return datetime.fromisoformat(found["State"]["StartedAt"]).timestamp()

    def files(self) -> dict[str, tuple[int, str]]:
        """Mode and SHA-256 of every file of its stacks, by path."""
        return {
            str(path.relative_to(self._root)): (
                path.stat().st_mode,
                hashlib.sha256(path.read_bytes()).hexdigest(),
            )
            for path in sorted((self._root / ROOT / "stacks").rglob("*"))
            if path.is_file()
        }

    def word(self) -> str:
        """What its web server answers; how it fails, if it does."""
        try:
            return httpx.get(
                f"http://{self.address}:{WEB_PORT}/", timeout=5, verify=_NO_TLS
            ).text.strip()
        except httpx.HTTPError as error:
            return f"({type(error).__name__})"

    def counters(self) -> Counters:
        """The counters as they stand."""
        interfaces = Path(f"/proc/{self.process}/net/dev").read_text("ascii").splitlines()
        ethernet = next(line for line in interfaces if line.lstrip().startswith("eth0:"))
        numbers = ethernet.partition(":")[2].split()
        log = (self._root / "var/log/sshd.log").read_text("utf-8", "replace")
        started = log.count("\nStarting session: ")
        return Counters(int(numbers[0]) + int(numbers[8]), started)

    def wipe(self) -> None:
        """Make it a host that nothing was ever deployed to; its images stay."""
        with self._engine() as client:
            for container in self.containers().values():
                options = {"force": "true", "v": "true"}
                client.delete(f"/containers/{container.id}", params=options).raise_for_status()
            client.post("/networks/prune").raise_for_status()
        for path in (self._root / ROOT).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    @property
    def _root(self) -> Path:
        return Path(f"/proc/{self.process}/root")

    def _engine(self) -> httpx.Client:
        socket = str(self._root / "run/docker.sock")
        transport = httpx.HTTPTransport(verify=_NO_TLS, uds=socket)
        return httpx.Client(
            transport=transport, base_url="http://docker", timeout=60, verify=_NO_TLS
        )


def _container(found: Mapping[str, Any]) -> Container:
    return Container(found["Id"], found["Image"], found["State"])
