"""A relay between paisctl and a host's sshd: it can cut the connection, or go silent, at any byte."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from types import TracebackType
from typing import Self

_CHUNK = 16 * 1024


class Relay:
    """Listens on `port` of the loopback and passes everything on to another port there.

    `sent` counts the bytes that went to the host. After `limit` of them the connection is cut; from
    then on none is let through any more, until `mend`.
    """

    def __init__(self, to: int, limit: int | None = None) -> None:
        self._to = to
        self._limit = limit
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.sent = 0
        self.was_cut = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Close every connection, both ways, as a router that was switched off and on."""
        self.was_cut.set()
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                ours, _ = self._listener.accept()
            except OSError:
                return
            if self.was_cut.is_set():
                ours.close()
                continue
            its = socket.create_connection(("127.0.0.1", self._to))
            self._pairs.append((ours, its))
            threading.Thread(target=self._pass_on, args=(ours, its), daemon=True).start()

    def _pass_on(self, ours: socket.socket, its: socket.socket) -> None:
        with ours, its, selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
            selector.register(ours, selectors.EVENT_READ, its)
            selector.register(its, selectors.EVENT_READ, ours)
            while True:
                for key, _ in selector.select():
                    source, target = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    data = source.recv(_CHUNK)
                    if not data:
                        return
                    if target is its and not self._may_pass(len(data)):
                        self.cut()
                        return
                    target.sendall(data)

    def _may_pass(self, size: int) -> bool:
        self.sent += size
        return self._limit is None or self.sent <= self._limit
