"""HTTP to a service on a host, its connections made from that host through SSH.

So it works wherever SSH does, whatever the tailnet's policy says about the laptop, and with the
same proof of who is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpcore
import httpx

from paisctl.errors import HostError
from paisctl.transports import Stream

Dial = Callable[[str, int], Stream]  # host and port, as the far end knows them

_MAPPED: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.ReadTimeout, httpx.ReadTimeout),
    (httpcore.WriteTimeout, httpx.WriteTimeout),
    (httpcore.PoolTimeout, httpx.PoolTimeout),
    (httpcore.ReadError, httpx.ReadError),
    (httpcore.WriteError, httpx.WriteError),
    (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
    (httpcore.LocalProtocolError, httpx.LocalProtocolError),
)
_FAILURES = tuple(theirs for theirs, _ in _MAPPED)


class TunnelTransport(httpx.BaseTransport):
    """Carries httpx's requests over connections that `dial` makes."""

    def __init__(self, dial: Dial) -> None:
        self._pool = httpcore.ConnectionPool(network_backend=_Backend(dial))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request; raises httpx's own errors, as its own transport does."""
        asked = httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            answer = self._pool.handle_request(asked)
        except _FAILURES as error:
            raise _ours(error, request) from error
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer, request),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._answer.iter_stream()
        except _FAILURES as error:
            raise _ours(error, self._request) from error

    def close(self) -> None:
        self._answer.close()


def _ours(error: Exception, request: httpx.Request) -> httpx.TransportError:
    kind = next(ours for theirs, ours in _MAPPED if isinstance(error, theirs))
    return kind(str(error), request=request)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, dial: Dial) -> None:
        self._dial = dial

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 # the far end's own
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        try:
            return _Stream(self._dial(host, port))
        except HostError as error:
            raise httpcore.ConnectError(error.message) from error


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._stream.settimeout(timeout)
        try:
            return self._stream.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(f"no answer within {timeout:g} s") from error
        except (OSError, EOFError) as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.settimeout(timeout)
        try:
            self._stream.sendall(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout("it takes nothing more") from error
        except (OSError, EOFError) as error:
            raise httpcore.WriteError(str(error) or "the connection was closed") from error

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        """Whether an idle connection was closed by the other side, as httpcore asks for it."""
        if info == "is_readable":
            return self._stream.is_readable()
        return None
