"""An HTTP server on a loopback port that logs what is asked and lets faults happen."""

from __future__ import annotations

import json
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.controlplane.faults import Answer, Fault, Faults

SECRET_HEADERS = frozenset({"authorization"})


@dataclass(slots=True)
class Request:
    """What was asked. Header names are in small letters; credentials are not kept."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: str
    status: int = 0  # what was answered; 0 while, or because, nothing was

    @property
    def json(self) -> Any:
        """The body as JSON; None when there is none, or it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def answer(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """A JSON answer."""
    return Answer(status, json.dumps(value), headers or {})


class LoopbackServer(ABC):
    """The part that every control plane has in common. Use it as a context manager."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.requests: list[Request] = []
        self.lock = RLock()
        self.closing = Event()
        self.connections: set[socket.socket] = set()
        self._http: ThreadingHTTPServer | None = None

    @abstractmethod
    def handle(self, request: Request, authorization: str) -> Answer:
        """Carry a request out. Called under `lock`, one at a time."""

    @property
    def url(self) -> str:
        """Where it is reached, without a slash at the end."""
        assert self._http is not None, "use the server in a with statement"
        return f"http://127.0.0.1:{self._http.server_port}"

    def asked(self, method: str, ending: str) -> list[Request]:
        """The requests of a method whose path ends like this, in their order."""
        return [
            each for each in self.requests if each.method == method and each.path.endswith(ending)
        ]

    def __enter__(self) -> Self:
        control_plane = self

        class Handler(_Handler):
            server_of: LoopbackServer = control_plane

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        # How long serve_forever sleeps is how long the end of every test would take.
        Thread(target=self._http.serve_forever, args=(0.005,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._http is not None
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        for each in tuple(self.connections):  # a client that keeps one open must notice
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for the client's acknowledgement
    server_of: LoopbackServer

    def setup(self) -> None:
        super().setup()
        self.server_of.connections.add(self.connection)

    def finish(self) -> None:
        self.server_of.connections.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Nothing: the log of requests is for assertions."""

    def _serve(self) -> None:
        request = self._request()
        control_plane = self.server_of
        control_plane.requests.append(request)
        fault = control_plane.faults.take(request.method, request.path) or Fault()
        if fault.meanwhile:
            fault.meanwhile()
        control_plane.closing.wait(fault.delay)
        given = fault.answer
        if fault.carried_out or not fault.loses_answer:
            with control_plane.lock:
                handled = control_plane.handle(request, self.headers.get("Authorization", ""))
            given = given or handled
        if fault.reset:
            self._reset()
        elif fault.silence:
            control_plane.closing.wait(fault.silence)
            self.close_connection = True
        elif given:
            request.status = given.status
            with suppress(ConnectionError):  # who asked may have given up meanwhile
                self._send(given)

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query)),
            headers={name: value for name, value in headers.items() if name not in SECRET_HEADERS},
            body=body,
        )

    def _send(self, given: Answer) -> None:
        content = given.body.encode()
        self.send_response(given.status)
        for name, value in given.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", given.content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _reset(self) -> None:
        """Closing a socket that does not linger sends RST rather than FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
