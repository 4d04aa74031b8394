"""HTTP over connections that somebody else makes: here those of this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from paisctl.cluster.tunnel import TunnelTransport
from paisctl.errors import HostError
from paisctl.transports import Stream
from paisctl.transports.local import LocalTransport

MEGABYTE = 1 << 20


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(1)
        if self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"only this")
            self.close_connection = True
            return
        self._answer(b"x" * MEGABYTE if self.path == "/large" else self.path.encode())

    def do_POST(self) -> None:
        self._answer(str(len(self.rfile.read(int(self.headers["Content-Length"])))).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def dialled() -> list[tuple[str, int]]:
    return []


@pytest.fixture
def client(service: ThreadingHTTPServer, dialled: list[tuple[str, int]]) -> Iterator[httpx.Client]:
    """A client of a name that only the far end knows."""

    def dial(host: str, port: int) -> Stream:
        dialled.append((host, port))
        return LocalTransport().dial("127.0.0.1", service.server_port)

    with httpx.Client(
        base_url="http://[fd7a:115c:a1e0::1]:6333", transport=TunnelTransport(dial)
    ) as client:
        yield client


def test_one_connection_carries_many_requests(
    client: httpx.Client, dialled: list[tuple[str, int]]
) -> None:
    assert [client.get(f"/{n}").text for n in range(3)] == ["/0", "/1", "/2"]
    assert dialled == [("fd7a:115c:a1e0::1", 6333)]


def test_large_bodies_go_both_ways(client: httpx.Client) -> None:
    with client.stream("GET", "/large") as answer:
        assert sum(map(len, answer.iter_bytes())) == MEGABYTE
    assert client.post("/", content=b"y" * MEGABYTE).text == str(MEGABYTE)


def test_failures_are_httpx_own(client: httpx.Client) -> None:
    with pytest.raises(httpx.ReadTimeout, match=r"0\.1 s"):
        client.get("/slow", timeout=0.1)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/cut")


def test_a_port_where_nothing_listens_says_so() -> None:
    def dial(host: str, port: int) -> Stream:
        raise HostError(f"nothing answers at {host}:{port}, asked from k6")

    with (
        httpx.Client(transport=TunnelTransport(dial)) as client,
        pytest.raises(httpx.ConnectError, match="nothing answers at there:1, asked from k6"),
    ):
        client.get("http://there:1/")


def test_this_machine_says_so_too() -> None:
    with pytest.raises(HostError, match=r"nothing answers at 127\.0\.0\.1:1: Connection refused"):
        LocalTransport().dial("127.0.0.1", 1)
