"""Messages to other peers: JSON by HTTP POST to their p2p URI, over connections that are kept."""

from __future__ import annotations

import http.client
import json
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

from qdrant_standin.metadata import RefusedError

S = TypeVar("S")
T = TypeVar("T")

CONNECT_SECONDS = 1.0
# Less than the other side waits before it closes an idle connection.
KEEP_SECONDS = 30.0

_lock = threading.Lock()
_idle: dict[str, list[tuple[float, http.client.HTTPConnection]]] = defaultdict(list)


class UnreachableError(Exception):
    """A peer did not answer, or not in time."""


def send(uri: str, path: str, message: dict[str, Any], timeout: float) -> Any:
    """The reply of the peer at `uri`; `timeout` is in seconds, for each read.

    A message that holds `to` is answered by the peer of that id only. It may reach the peer twice.

    Raises `UnreachableError`, or `RefusedError` with what the peer refused and why.
    """
    body = json.dumps(message, separators=(",", ":")).encode()
    try:
        kept = _kept(uri)
        if kept is not None:
            try:
                status, reply = _exchange(kept, uri, path, body, timeout)
            except TimeoutError:
                raise
            except (OSError, http.client.HTTPException):
                kept = None  # the peer may have closed it, or have been restarted
        if kept is None:
            status, reply = _exchange(_opened(uri, timeout), uri, path, body, timeout)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError(f"{uri}: {error or type(error).__name__}") from error
    if status != HTTPStatus.OK:
        raise RefusedError(status, str(reply["error"]))
    return reply


def _exchange(
    connection: http.client.HTTPConnection, uri: str, path: str, body: bytes, timeout: float
) -> tuple[int, Any]:
    """Status and reply; the connection is kept if it can be used again, and closed otherwise."""
    try:
        connection.sock.settimeout(timeout)
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        reply = json.loads(response.read())
    except BaseException:
        connection.close()
        raise
    if connection.sock is not None:  # else the peer has asked to close it
        with _lock:
            _idle[uri].append((time.monotonic(), connection))
    return response.status, reply


def _kept(uri: str) -> http.client.HTTPConnection | None:
    with _lock:
        while _idle[uri]:
            since, connection = _idle[uri].pop()
            if time.monotonic() - since < KEEP_SECONDS:
                return connection
            connection.close()
    return None


def _opened(uri: str, timeout: float) -> http.client.HTTPConnection:
    address = urlsplit(uri)
    connection = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=min(timeout, CONNECT_SECONDS)
    )
    connection.connect()
    return connection


def ask_all(peers: Iterable[S], ask: Callable[[S], T]) -> Iterator[T]:
    """The answers of `ask`, which must not raise, for all peers at once; the quickest comes first."""
    answers: queue.Queue[T] = queue.Queue()
    threads = [
        threading.Thread(target=lambda peer=peer: answers.put(ask(peer)), daemon=True)
        for peer in peers
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        yield answers.get()
