"""Noticing that a host has gone silent.

TCP alone does not notice it through a proxy or a jump host, nor soon enough on a Mac; so the host's
sshd is asked for an answer, as OpenSSH does for `ServerAliveInterval`.
"""

from __future__ import annotations

import time
from typing import Protocol

from paisctl.threads import start_thread

_INTERVAL = 15.0  # seconds; also what keeps a home router's NAT table awake
_PATIENCE = 60.0  # seconds until an unanswered question means that the host is gone


class Connection(Protocol):
    """What is needed of a `paramiko.Transport`."""

    def is_active(self) -> bool: ...

    def close(self) -> None: ...

    def global_request(self, kind: str, *, wait: bool = True) -> object: ...


def keep_alive(
    connection: Connection, interval: float = _INTERVAL, patience: float = _PATIENCE
) -> None:
    """Watch a connection in a thread of its own; close it when the host stops answering.

    Args:
        connection: whatever waits on it is woken when it is closed.
        interval: seconds between an answer and the next question.
        patience: seconds to wait for an answer; a refusal of the question is one, too.
    """

    def ask(connection: Connection) -> None:
        connection.global_request("keepalive@openssh.com", wait=True)

    def watch(connection: Connection) -> None:
        while connection.is_active():
            try:
                start_thread(ask, connection).result(timeout=patience)
            except TimeoutError:
                connection.close()
            time.sleep(interval)

    start_thread(watch, connection)
