"""A host by SSH: paramiko connects, and its channels carry the commands."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, cast

from paisctl.errors import ConnectionLost
from paisctl.transports import (
    Channel,
    Completed,
    SshSettings,
    Stream,
    StreamReader,
    decoded_lines,
    run_to_end,
)

if TYPE_CHECKING:
    import paramiko

    from paisctl.transports.connection import Connections


# paramiko copies all that is left for every packet that it sends: 50 MB at once take it minutes.
_PIECE = 1 << 18


class SshTransport:
    """One SSH connection to one host, through jump hosts where the settings say so."""

    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings
        self._connections: Connections | None = None
        self._connecting = threading.Lock()

    def connect(self) -> None:
        self._connected()

    def run(self, command: str, stdin: bytes = b"") -> Completed:
        return run_to_end(self.open(command), stdin)

    def open(self, command: str) -> Channel:
        connections = self._connected()
        return SshChannel(connections.start(command), connections.name)

    def dial(self, host: str, port: int) -> Stream:
        return SshStream(self._connected().forward(host, port))

    def close(self) -> None:
        if self._connections is not None:
            self._connections.close()
        self._connections = None

    def _connected(self) -> Connections:
        with self._connecting:
            if self._connections is None:
                # Paramiko takes a tenth of a second to import.
                from paisctl.transports.connection import Connections  # noqa: PLC0415

                self._connections = Connections(self._settings)
            return self._connections


class SshChannel:
    """A command on the host, in a channel of the connection."""

    def __init__(self, channel: paramiko.Channel, host: str) -> None:
        self._channel = channel
        self._host = host
        self._stdout = cast("IO[bytes]", channel.makefile("rb"))
        self._stderr = StreamReader(cast("IO[bytes]", channel.makefile_stderr("rb")))

    def write(self, data: bytes) -> None:
        try:
            for start in range(0, len(data), _PIECE):
                self._channel.sendall(data[start : start + _PIECE])
        except (OSError, EOFError) as error:
            # With the connection alive, it is the command that has closed its stdin.
            self._check_connection(error)

    def close_stdin(self) -> None:
        try:
            self._channel.shutdown_write()
        except (OSError, EOFError) as error:
            self._check_connection(error)

    def read(self) -> bytes:
        return self._stdout.read()

    def read_up_to(self, size: int) -> bytes:
        return self._stdout.read(size)

    def lines(self) -> Iterator[str]:
        return decoded_lines(self._stdout)

    def wait(self) -> int:
        self.close_stdin()
        exit_status = self._channel.recv_exit_status()
        self._stderr.join()
        if exit_status < 0:
            self._check_connection(None)
        self._channel.close()
        return exit_status

    def close(self) -> None:
        self._channel.close()

    @property
    def stdout(self) -> IO[bytes]:
        return self._stdout

    @property
    def stderr(self) -> bytes:
        return self._stderr.result()

    def _check_connection(self, error: Exception | None) -> None:
        if not self._channel.get_transport().is_active():
            raise lost(self._host) from error


class SshStream:
    """A connection that sshd has made for us, in a channel of the connection to it."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def settimeout(self, timeout: float | None, /) -> None:
        self._channel.settimeout(timeout)

    def recv(self, size: int, /) -> bytes:
        return self._channel.recv(size)

    def sendall(self, data: bytes, /) -> None:
        for start in range(0, len(data), _PIECE):
            self._channel.sendall(data[start : start + _PIECE])

    def is_readable(self) -> bool:
        channel = self._channel
        return bool(channel.recv_ready() or channel.closed or channel.eof_received)

    def close(self) -> None:
        self._channel.close()


def lost(host: str) -> ConnectionLost:
    return ConnectionLost(
        f"the connection to {host} was lost while a command ran there",
        "run `paisctl plan` once it is back: it shows what was done and what is left",
    )
