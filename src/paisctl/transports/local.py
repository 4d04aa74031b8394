"""The local machine as a host: commands run in `sh` by subprocess."""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
from collections.abc import Iterator, Mapping
from typing import IO, cast

from paisctl.errors import HostError
from paisctl.transports import (
    Channel,
    Completed,
    Stream,
    StreamReader,
    decoded_lines,
    run_to_end,
)


class LocalTransport:
    """Runs commands on this machine as the current user.

    Args:
        environment: the commands' whole environment; None passes our own on.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = environment

    def connect(self) -> None:
        """Nothing to connect."""

    def run(self, command: str, stdin: bytes = b"") -> Completed:
        return run_to_end(self.open(command), stdin)

    def open(self, command: str) -> Channel:
        return LocalChannel(command, self._environment)

    def dial(self, host: str, port: int) -> Stream:
        try:
            return LocalStream(socket.create_connection((host, port)))
        except OSError as error:
            raise HostError(f"nothing answers at {host}:{port}: {error.strerror}") from error

    def close(self) -> None:
        """Nothing to close: a command ends when its channel's stdin does."""


class LocalStream:
    """A socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.settimeout = connection.settimeout
        self.recv = connection.recv
        self.sendall = connection.sendall
        self.close = connection.close

    def is_readable(self) -> bool:
        return bool(select.select([self._socket], [], [], 0)[0])


class LocalChannel:
    """A child process."""

    def __init__(self, command: str, environment: Mapping[str, str] | None) -> None:
        self._process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)
        self._stderr_stream = cast("IO[bytes]", self._process.stderr)
        self._stderr = StreamReader(self._stderr_stream)

    def write(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # The command has ended: `wait` says how.
            self._stdin.write(data)
            self._stdin.flush()

    def close_stdin(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()

    def read(self) -> bytes:
        return self._stdout.read()

    def read_up_to(self, size: int) -> bytes:
        return self._stdout.read(size)

    def lines(self) -> Iterator[str]:
        return decoded_lines(self._stdout)

    def wait(self) -> int:
        self.close_stdin()
        exit_status = self._process.wait()
        self._stderr.join()
        self._stdout.close()
        self._stderr_stream.close()
        return exit_status

    def close(self) -> None:
        self._process.kill()
        self.wait()

    @property
    def stdout(self) -> IO[bytes]:
        return self._stdout

    @property
    def stderr(self) -> bytes:
        return self._stderr.result()
