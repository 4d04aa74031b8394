"""Messages to other peers: JSON by HTTP POST to their p2p URI."""

from __future__ import annotations

import http.client
import json
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

from qdrant_standin.metadata import RefusedError

S = TypeVar("S")
T = TypeVar("T")


class UnreachableError(Exception):
    """A peer did not answer, or not in time."""


def send(uri: str, path: str, message: dict[str, Any], timeout: float) -> Any:
    """The reply of the peer at `uri`; `timeout` is in seconds, for connecting and for each read.

    A message that holds `to` is answered by the peer of that id only.

    Raises `UnreachableError`, or `RefusedError` with what the peer refused and why.
    """
    address = urlsplit(uri)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout)
    try:
        connection.request(
            "POST",
            path,
            json.dumps(message),
            {"Content-Type": "application/json", "Connection": "close"},
        )
        response = connection.getresponse()
        reply = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError(f"{uri}: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if response.status != HTTPStatus.OK:
        raise RefusedError(response.status, str(reply["error"]))
    return reply


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
