"""Ways to run a command on a host.

A transport is one connection, kept for the whole run; every `run` and every `open` is one
execution on it. `ssh` reaches a host of the fleet, `local` this machine, `fake` plays a script.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import IO, Protocol

from paisctl.errors import HostError

_CHUNK = 1 << 18  # bytes

# As if Invoke were not installed: paramiko can do without, and importing it takes 30 ms. It would be for
# `Match exec` in configurations that paramiko reads; ours are read by `ssh -G`.
sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has ended, and everything it printed."""

    exit_status: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class SshSettings:
    """How to reach a host; for what is None, the user's `~/.ssh/config` decides.

    Attributes:
        host: a name, an address or an alias of the ssh configuration.
        host_key: the one key to accept, as in a known_hosts line: `ssh-ed25519 AAAA…`.
        connect_timeout: seconds until the connection must stand.
        proxy_jump: as OpenSSH's ProxyJump: `[user@]host[:port]`, several with commas.
        config_file: read instead of the user's and the system's configuration, as `ssh -F`.
    """

    host: str
    port: int | None = None
    user: str | None = None
    identity_file: str | None = None
    known_hosts: str | None = None
    host_key: str | None = None
    connect_timeout: float | None = None
    proxy_jump: str | None = None
    config_file: str | None = None


class Channel(Protocol):
    """One running command: write to it, read its lines, wait for its end."""

    def write(self, data: bytes) -> None:
        """Send to the command's stdin; ignored once the command has closed it.

        Raises:
            ConnectionLost: there is no connection any more.
        """

    def close_stdin(self) -> None:
        """Let the command read the end of its stdin."""

    def read(self) -> bytes:
        """Everything that the command still prints, until it ends."""

    def read_up_to(self, size: int) -> bytes:
        """The next so many bytes of stdout; fewer only before its end, none at it."""

    def lines(self) -> Iterator[str]:
        """The lines of stdout as they come, without line ends.

        Bytes that are not UTF-8 survive as surrogate escapes.
        """

    def wait(self) -> int:
        """Close stdin, wait for the end of the command and return its exit status.

        Raises:
            ConnectionLost: the connection went away before the command's exit status came.
        """

    def close(self) -> None:
        """Leave a command that is not to be listened to any more; instead of `wait`."""

    @property
    def stdout(self) -> IO[bytes]:
        """What the command prints, as a file; the ways to read above read from it, too."""

    @property
    def stderr(self) -> bytes:
        """What the command printed on stderr; complete after `wait`."""


class Stream(Protocol):
    """A connection to a port, as a socket."""

    def settimeout(self, timeout: float | None, /) -> None:
        """Have reads and writes give up after so many seconds, with TimeoutError."""

    def recv(self, size: int, /) -> bytes:
        """Up to so many bytes; none at the end."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""

    def is_readable(self) -> bool:
        """Whether reading would not wait: there are bytes, or the end."""

    def close(self) -> None:
        """Close it."""


class Transport(Protocol):
    """A connection to one host, made when it is first needed. Threads may share it."""

    def connect(self) -> None:
        """Connect unless connected.

        Raises:
            HostError: the host cannot be reached, refuses us, or is not the one we know.
        """

    def run(self, command: str, stdin: bytes = b"") -> Completed:
        """Run a command to its end. Raises HostError as `connect` and `Channel.wait` do."""

    def open(self, command: str) -> Channel:
        """Start a command to talk with. Raises HostError as `connect` does."""

    def dial(self, host: str, port: int) -> Stream:
        """Connect to a TCP port from there.

        Raises:
            HostError: as `connect` does; or nothing answers at that port; or sshd does not allow it.
        """

    def close(self) -> None:
        """Close the connection; commands that still run on it lose their stdin and stdout."""


def run_to_end(channel: Channel, stdin: bytes) -> Completed:
    """Feed a command its whole stdin and collect what it prints."""

    # Written beside the reading: a command may print before it has read everything.
    def feed() -> None:
        with contextlib.suppress(HostError):  # `wait` raises it, in the right thread
            channel.write(stdin)
            channel.close_stdin()

    writer = threading.Thread(target=feed, daemon=True)
    writer.start()
    stdout = channel.read()
    writer.join()
    exit_status = channel.wait()
    return Completed(exit_status, stdout, channel.stderr)


def chunks(channel: Channel) -> Generator[bytes]:
    """What a command prints, as it comes; it gets no input. Whoever stops asking ends the command."""
    try:
        channel.close_stdin()
        while chunk := channel.read_up_to(_CHUNK):
            yield chunk
    except GeneratorExit:
        channel.close()
        raise


def decoded_lines(stream: IO[bytes]) -> Iterator[str]:
    """The lines of a binary stream as text, without line ends."""
    for line in stream:
        yield line.decode("utf-8", "surrogateescape").rstrip("\r\n")


class StreamReader(threading.Thread):
    """Reads a stream to its end beside the main reader, so that neither fills up and blocks."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._data = b""
        self.start()

    def run(self) -> None:
        self._data = self._stream.read()

    def result(self) -> bytes:
        """Everything the stream held; waits for its end."""
        self.join()
        return self._data
