"""The load balancer's config, given to a real HAProxy."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.unit.bundles.conftest import REFERENCE, free_port, overlay, render_inventory, run, tool


def test_haproxy_accepts_its_config_without_a_warning(mac_mini: Path) -> None:
    output = run(tool("haproxy"), "-c", "-f", mac_mini / "haproxy" / "haproxy" / "haproxy.cfg")
    assert "WARNING" not in output


def test_haproxy_asks_every_node_whether_it_is_ready(mac_mini: Path) -> None:
    config = (mac_mini / "haproxy" / "haproxy" / "haproxy.cfg").read_text()
    assert config.count("http-check send meth GET uri /readyz") == 2
    for name, address in (("k6", 21), ("m7-1", 22), ("m7-2", 23)):
        assert f"    server {name} 100.64.0.{address}:6333\n" in config
        assert f"    server {name} 100.64.0.{address}:6334 port 6333\n" in config


# A server that is stopped here drops the sockets it has, as a dying process does.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class _Qdrant(BaseHTTPRequestHandler):
    """Answers one request per connection: a stopped server then has none left, as a dead process."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """HAProxy resets the connections of its checks; that is no error."""


@contextmanager
def node(port: int = 0) -> Iterator[ThreadingHTTPServer]:
    server = _Server(("127.0.0.1", port), _Qdrant)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class LoadBalancer:
    """A real HAProxy, started as its image does, with the rendered config on free ports."""

    def __init__(self, config: str, path: Path) -> None:
        self.ports = {port: free_port() for port in ("6333", "6334", "8405", "9999")}
        self.path = path
        self.write(config)
        command = [tool("haproxy"), "-W", "-db", "-f", str(path)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def write(self, config: str) -> None:
        for port, free in self.ports.items():
            config = re.sub(rf"(bind |127\.0\.0\.1):{port}\b", rf"\g<1>:{free}", config)
        # The test's own ports are on loopback.
        self.path.write_text(config.replace("bind :", "bind 127.0.0.1:"))

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.ports["6333"], timeout=10)

    def get(self, port: str, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def workers(self) -> set[str]:
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return set(Path(children).read_text().split())

    def wait(self) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with suppress(OSError):
                if self.get("6333", "/") == 200:
                    return
            time.sleep(0.1)
        pytest.fail("HAProxy does not answer")

    def stop(self) -> None:
        self.process.kill()
        for worker in self.workers():
            os.kill(int(worker), signal.SIGKILL)
        self.process.wait()


def knowledge(folder: Path, ports: list[int]) -> str:
    """The reference's haproxy.cfg, with nodes on loopback."""
    devices = {
        name: {"address": f"127.0.0.{n}", "stacks": {"qdrant": {"ports": {"rest": port}}}}
        for n, (name, port) in enumerate(zip(("k6", "m7-1", "m7-2"), ports, strict=True), 1)
    }
    fleet = render_inventory(REFERENCE, overlay(folder, {"devices": devices}))
    config = fleet.file("mac-mini", "haproxy", "haproxy/haproxy.cfg")
    return re.sub(r"127\.0\.0\.[123]:(?!9999)", "127.0.0.1:", config)


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[tuple[LoadBalancer, list[ThreadingHTTPServer], str]]:
    with node() as first, node() as second, node() as third:
        nodes = [first, second, third]
        config = knowledge(tmp_path, [n.server_port for n in nodes])
        balancer = LoadBalancer(config, tmp_path / "haproxy.cfg")
        try:
            balancer.wait()
            yield balancer, nodes, config
        finally:
            balancer.stop()


def test_a_reload_fails_no_request_and_keeps_the_process(
    balancer: tuple[LoadBalancer, list[ThreadingHTTPServer], str],
) -> None:
    haproxy, _, config = balancer
    workers = haproxy.workers()
    kept = haproxy.connect()  # stays idle across the reload, then is used once more
    kept.request("GET", "/before")
    assert kept.getresponse().read() == b"ok"
    haproxy.write(config.replace("timeout queue 30s", "timeout queue 31s"))
    haproxy.process.send_signal(signal.SIGUSR2)
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        assert haproxy.get("6333", "/meanwhile") == 200
    assert haproxy.workers() - workers, "no new worker"
    kept.request("GET", "/after")
    assert kept.getresponse().read() == b"ok"
    assert haproxy.process.poll() is None


def test_a_node_that_stops_fails_no_request(
    balancer: tuple[LoadBalancer, list[ThreadingHTTPServer], str],
) -> None:
    """Until its check notices, too: at that moment requests under way there are cut on purpose."""
    haproxy, nodes, _ = balancer
    with socket.create_connection(("127.0.0.1", haproxy.ports["9999"])) as api:
        api.sendall(b"disable health qdrant/m7-1\n")
        assert api.recv(4096).strip() == b""
    nodes[1].shutdown()
    nodes[1].server_close()
    assert {haproxy.get("6333", "/") for _ in range(30)} == {200}


def test_health_metrics_and_the_runtime_api_answer(
    balancer: tuple[LoadBalancer, list[ThreadingHTTPServer], str],
) -> None:
    haproxy, _, _ = balancer
    assert haproxy.get("8405", "/health") == 200
    assert haproxy.get("8405", "/metrics") == 200
    assert haproxy.get("8405", "/stats") == 404
    with socket.create_connection(("127.0.0.1", haproxy.ports["9999"])) as api:
        api.sendall(b"set server qdrant/m7-1 state drain; show servers state qdrant\n")
        answer = b"".join(iter(lambda: api.recv(4096), b"")).decode()
    assert " m7-1 127.0.0.1 2 8 " in answer  # operational state up, administrative state drain
    assert {haproxy.get("6333", "/") for _ in range(6)} == {200}
