"""Stand-ins as the lab runs them: real processes on loopback, with their own storage."""

from __future__ import annotations

import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

import paisctl

T = TypeVar("T")

STANDINS = Path(paisctl.__file__).parent / "lab" / "assets" / "standins"
DEADLINE_SECONDS = 10
# One client, since making one takes longer than a request; no connection outlives its request,
# because servers come and go here.
CLIENT = httpx.Client(
    timeout=DEADLINE_SECONDS, limits=httpx.Limits(max_keepalive_connections=0), trust_env=False
)


def _ports() -> Iterator[int]:
    """Ports for this process's part of a test run, in turn, over and over.

    They are below the ephemeral ports, so that none is given to an outgoing connection before it is
    used, and no other worker's, which could take the port of a node while that is stopped.
    """
    size = 20000 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first = 10000 + size * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    start = random.randrange(size)  # noqa: S311
    return (first + (start + n) % size for n in itertools.count())


_PORTS = _ports()


def free_port() -> int:
    """A port that nobody listens on, and that has not been handed out before."""
    for port in _PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError


def eventually(condition: Callable[[], T]) -> T:
    """Wait for what `condition` gives; what it raises while a server is away counts as not yet."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            if found := condition():
                return found
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


@dataclass
class Program:
    """A stand-in program, its environment and its working directory."""

    script: str
    directory: Path
    environment: dict[str, str]
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its output is added to `log`."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, STANDINS / self.script, *self.arguments],
                cwd=self.directory,
                env={"PATH": os.environ["PATH"], "HOME": str(self.directory)} | self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Stop it if it runs; the exit status."""
        assert self.process is not None
        self.process.send_signal(by)
        return self.process.wait(DEADLINE_SECONDS)

    def exit_status(self) -> int:
        """Wait for a program that ends by itself."""
        assert self.process is not None
        return self.process.wait(DEADLINE_SECONDS)

    def log(self) -> str:
        return (self.directory / "log").read_text()


@dataclass
class QdrantNode:
    """A Qdrant stand-in with ports and storage of its own, fast of tick."""

    directory: Path
    settings: dict[str, str] = field(default_factory=dict)
    http_port: int = field(default_factory=free_port)
    p2p_port: int = field(default_factory=free_port)
    grpc_port: int = field(default_factory=free_port)
    api_key: str | None = None

    def __post_init__(self) -> None:
        self.program = Program("qdrant_standin", self.directory, {})

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.p2p_port}"

    @property
    def storage(self) -> Path:
        return self.directory / "storage"

    def start(self, **settings: str) -> None:
        """Start with the settings of this node and `settings` over them."""
        self.program.environment = {
            "QDRANT__SERVICE__HOST": "127.0.0.1",
            "QDRANT__SERVICE__HTTP_PORT": str(self.http_port),
            "QDRANT__SERVICE__GRPC_PORT": str(self.grpc_port),
            "QDRANT__CLUSTER__P2P__PORT": str(self.p2p_port),
            "QDRANT__CLUSTER__CONSENSUS__TICK_PERIOD_MS": "20",
            **self.settings,
            **settings,
        }
        self.program.start()

    def start_and_wait(self, **settings: str) -> None:
        self.start(**settings)
        eventually(lambda: self.get("/readyz").status_code == httpx.codes.OK)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.send("GET", path, **headers)

    def send(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        url = f"http://127.0.0.1:{self.http_port}{path}"
        named = {"api-key": self.api_key} if self.api_key else {}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        return CLIENT.request(method, url, json=body, headers=named)

    def result(self, method: str, path: str, body: object = None) -> Any:
        """The `result` of a request that succeeds."""
        response = self.send(method, path, body)
        assert response.status_code == httpx.codes.OK, response.text
        assert response.json()["status"] == "ok"
        return response.json()["result"]

    def cluster(self) -> dict[str, Any]:
        result: dict[str, Any] = self.result("GET", "/cluster")
        return result

    def count(self, collection: str) -> int:
        path = f"/collections/{collection}/points/count"
        return int(self.result("POST", path, {"exact": True})["count"])
