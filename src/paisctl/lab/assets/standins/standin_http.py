"""HTTP plumbing shared by the lab's stand-in services, on the standard library alone.

A stand-in answers the ports, paths and health endpoints of a service whose real image the lab cannot
have. It never passes for the real one: the `Server` header and every log line say what it is.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socketserver
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

log = logging.getLogger("stand-in")

VERSION_VARIABLE = "PAISCTL_STANDIN_VERSION"
IDLE_CONNECTION_SECONDS = 60
DRAIN_SECONDS = 5


@dataclass(frozen=True)
class Request:
    """One HTTP request; `parameters` are the `{names}` of the route that matched."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    client: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The decoded body (an empty one is `{}`); `HttpError` 400 when it is not JSON."""
        try:
            return json.loads(self.body or b"{}")
        except ValueError as error:
            raise HttpError(400, {"error": f"Format error in JSON body: {error}"}) from error


@dataclass(frozen=True)
class Response:
    """A reply: `body` is sent with its length, `stream` with `length`, or else in chunks as they come."""

    body: bytes = b""
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    stream: Iterable[bytes] | None = None
    length: int | None = None


class HttpError(Exception):
    """Ends a request with `status`; `body` is sent as JSON, or as text when it is a string."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body

    def response(self) -> Response:
        if isinstance(self.body, str):
            return text_response(self.body, self.status)
        return json_response(self.body, self.status)


Handler = Callable[[Request], Response]


def json_response(value: object, status: int = 200) -> Response:
    """`value` as a JSON reply."""
    return Response(json.dumps(value, separators=(",", ":")).encode(), status, "application/json")


def text_response(text: str, status: int = 200) -> Response:
    """`text` as a plain reply."""
    return Response(text.encode(), status)


@dataclass(frozen=True)
class Route:
    """A method and a path pattern such as `/collections/{name}`, and what answers them."""

    method: str
    pattern: str
    handler: Handler
    expression: re.Pattern[str]


class Router:
    """Finds the handler of a request; calling it answers the request, or 404."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def add(self, method: str, pattern: str, handler: Handler) -> None:
        expression = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
        self._routes.append(Route(method, pattern, handler, re.compile(expression)))

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for route in self._routes:
            found = route.expression.fullmatch(path)
            if found and route.method == method:
                return route, {name: unquote(value) for name, value in found.groupdict().items()}
        return None

    def __call__(self, request: Request) -> Response:
        matched = self.match(request.method, request.path)
        if matched is None:
            raise HttpError(404, "")
        route, parameters = matched
        return route.handler(Request(**{**request.__dict__, "parameters": parameters}))


class Server(ThreadingHTTPServer):
    """Serves `handler` on `host:port` in background threads from construction on.

    Raises `OSError` when the address cannot be bound.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler: Handler, host: str, port: int, product: str) -> None:
        self.handler = handler
        self.product = product
        self.stopping = False
        self._answered = threading.Condition()
        self._in_flight = 0
        super().__init__((host, port), _Connection)
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()

    def server_bind(self) -> None:
        # HTTPServer.server_bind looks the host up in the DNS, which can take seconds.
        socketserver.TCPServer.server_bind(self)

    def answer(self, request: Request) -> Response:
        with self._answered:
            self._in_flight += 1
        try:
            return self.handler(request)
        except HttpError as error:
            return error.response()
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return json_response({"error": "internal error of the stand-in"}, 500)

    def answered(self) -> None:
        with self._answered:
            self._in_flight -= 1
            self._answered.notify_all()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that left in the middle of a request."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def stop(self) -> None:
        """Refuse new connections, then give the requests under way a few seconds to finish."""
        self.stopping = True
        self.shutdown()
        self.server_close()
        with self._answered:
            self._answered.wait_for(lambda: self._in_flight == 0, DRAIN_SECONDS)


class _Connection(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_CONNECTION_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1

    def version_string(self) -> str:
        return self.server.product

    def log_message(self, *_arguments: object) -> None:
        """Keep requests out of the log; health checks would fill it."""

    def _serve(self) -> None:
        url = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=url.path.rstrip("/") or "/",
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._body(),
            client=str(self.client_address[0]),
        )
        response = self.server.answer(request)
        try:
            self._send(response)
        finally:
            self.server.answered()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            expected = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(expected)
            if len(body) < expected:
                raise ConnectionResetError
            return body
        chunks: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(chunks)

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        if self.server.stopping:
            self.send_header("Connection", "close")
        length = len(response.body) if response.stream is None else response.length
        if length is not None:
            self.send_header("Content-Length", str(length))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(response)
        self.wfile.flush()

    def _send_body(self, response: Response) -> None:
        if response.stream is None:
            self.wfile.write(response.body)
            return
        if response.length is not None:
            self.wfile.writelines(response.stream)
            return
        for chunk in response.stream:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def __getattr__(self, name: str) -> Callable[[], None]:
        # BaseHTTPRequestHandler looks for `do_GET` and so on; the router knows the methods.
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)


def reported_version(default: str) -> str:
    """The version to claim: the number in `PAISCTL_STANDIN_VERSION`, an image tag, else `default`."""
    number = re.search(r"\d+(\.\d+)+", os.environ.get(VERSION_VARIABLE, ""))
    return number.group() if number else default


def product_name(service: str, version: str) -> str:
    """The `Server` header of a stand-in."""
    return f"{service}-stand-in/{version} (paisctl lab, not {service})"


def log_as(service: str) -> None:
    """Log to stdout, every line marked as coming from the stand-in of `service`."""
    logging.basicConfig(
        stream=sys.stdout,
        level=logging.INFO,
        format=f"%(asctime)s %(levelname)s [{service} stand-in] %(message)s",
    )


def stop_on_signals() -> list[Server]:
    """From now on SIGTERM and SIGINT end the process, after stopping the servers in the result.

    To be called before any thread is started. PID 1 of a container has no default signal action,
    so without this `docker stop` would wait and kill.
    """
    servers: list[Server] = []
    signals = {signal.SIGTERM, signal.SIGINT}

    def stop() -> None:
        signal.sigwait(signals)
        log.info("stopping")
        for server in servers:
            server.stop()
        os._exit(0)

    # A thread that waits, since a handler would run in the middle of whatever the main thread does.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    threading.Thread(target=stop, daemon=True).start()
    return servers


def serve_forever() -> NoReturn:
    """Leave the main thread to the others."""
    while True:
        threading.Event().wait()
