"""A host that plays a script: for tests of everything above the transports."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from paisctl.errors import HostError
from paisctl.transports import Channel, Completed, Stream, decoded_lines, run_to_end


@dataclass(slots=True)
class Reply:
    """What one execution answers; `error` is raised at its end, as by a connection that breaks.

    `answers` is called with what is written to it, and with nothing at the end of that; it gives what
    is printed then.
    """

    stdout: bytes = b""
    stderr: bytes = b""
    exit_status: int = 0
    error: HostError | None = None
    answers: Callable[[bytes], bytes] | None = None


class FakeTransport:
    """Answers every execution with the next reply, or raises the next error.

    Args:
        replies: one per execution, in order; an exception is raised instead of an answer.
        refuses: raised by `connect`, as an unreachable host does.

    `commands` and `stdins` record what was executed and what it was sent.
    """

    def __init__(
        self, replies: Sequence[Reply | HostError] = (), refuses: HostError | None = None
    ) -> None:
        self._replies = deque(replies)
        self._refuses = refuses
        self.commands: list[str] = []
        self.stdins: list[bytearray] = []
        self.closed = False

    def connect(self) -> None:
        if self._refuses is not None:
            raise self._refuses

    def run(self, command: str, stdin: bytes = b"") -> Completed:
        return run_to_end(self.open(command), stdin)

    def open(self, command: str) -> Channel:
        self.connect()
        self.commands.append(command)
        self.stdins.append(bytearray())
        reply = self._replies.popleft()
        if isinstance(reply, HostError):
            raise reply
        return FakeChannel(reply, self.stdins[-1])

    def dial(self, host: str, port: int) -> Stream:
        self.connect()
        raise HostError(f"nothing answers at {host}:{port}")

    def close(self) -> None:
        self.closed = True


class FakeChannel:
    """An execution that prints its reply at once, and further answers when it is written to."""

    def __init__(self, reply: Reply, stdin: bytearray) -> None:
        self._reply = reply
        self._stdin = stdin
        self._stdout = io.BytesIO(reply.stdout)

    def write(self, data: bytes) -> None:
        self._stdin += data
        self._hear(data)

    def close_stdin(self) -> None:
        self._hear(b"")

    def _hear(self, data: bytes) -> None:
        if self._reply.answers:
            here = self._stdout.tell()
            self._stdout.seek(0, io.SEEK_END)
            self._stdout.write(self._reply.answers(data))
            self._stdout.seek(here)

    def read(self) -> bytes:
        return self._stdout.read()

    def read_up_to(self, size: int) -> bytes:
        return self._stdout.read(size)

    def lines(self) -> Iterator[str]:
        return decoded_lines(self._stdout)

    def wait(self) -> int:
        if self._reply.error is not None:
            raise self._reply.error
        return self._reply.exit_status

    def close(self) -> None:
        """Nothing runs."""

    @property
    def stdout(self) -> IO[bytes]:
        return self._stdout

    @property
    def stderr(self) -> bytes:
        return self._reply.stderr
