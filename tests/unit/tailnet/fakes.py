"""A control plane that keeps its policy in a file, hosts that obey it, and a clock that jumps."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from pathlib import Path

from paisctl.errors import PolicyMoved, TailnetError
from paisctl.tailnet.control import (
    Finding,
    JoinKey,
    LivePolicy,
    Match,
    PreviewKind,
    TailnetDevice,
    TailnetUser,
)
from paisctl.tailnet.outcome import Progress, Stage
from paisctl.tailnet.record import Record
from paisctl.tailnet.switch import Switch


def policy(*hosts: str, note: str = "") -> str:
    """A policy under which these hosts can be logged in to."""
    named = ", ".join(f'"tag:{host}"' for host in hosts)
    return f'// {note}\n{{"grants": [{{"src": ["*"], "dst": [{named}], "ip": ["22"]}}]}}\n'


OLD, NEW, BAD = policy("k6", "nas"), policy("k6", "nas", "box"), policy("nas")
HAND = policy("k6", "nas", "printer")


class FileControl:
    """Keeps its policy in a file, so that it outlives the process that talks to it.

    `before_set` and `after_set` are called with the text; what they raise is what the caller gets.
    """

    name = "Tailscale"
    gives_what_is_in_use = True

    def __init__(self, file: Path) -> None:
        self.file = file
        self.sets: list[str] = []
        self.reads = 0
        self.before_set: Callable[[str], None] = lambda _: None
        self.after_set: Callable[[str], None] = lambda _: None
        self.before_read: Callable[[], None] = lambda: None

    def policy(self) -> LivePolicy:
        self.reads += 1
        self.before_read()
        text = self.file.read_text()
        return LivePolicy(text, hashlib.sha256(text.encode()).hexdigest())

    def set_policy(self, text: str, etag: str) -> str:
        self.before_set(text)
        if hashlib.sha256(self.file.read_bytes()).hexdigest() != etag:
            raise PolicyMoved
        self.file.write_text(text)
        self.sets.append(text)
        self.after_set(text)
        return hashlib.sha256(text.encode()).hexdigest()

    def validate(self, text: str) -> tuple[Finding, ...]:
        raise NotImplementedError

    def devices(self) -> tuple[TailnetDevice, ...]:
        raise NotImplementedError

    def users(self) -> tuple[TailnetUser, ...]:
        raise NotImplementedError

    def set_tags(self, device_id: str, tags: Sequence[str]) -> None:
        raise NotImplementedError

    def make_key(self, tags: Sequence[str], description: str, expiry: int) -> JoinKey:
        raise NotImplementedError

    def preview(self, text: str, kind: PreviewKind, who: str) -> tuple[Match, ...]:
        raise NotImplementedError

    def close(self) -> None:
        pass


class JumpingClock:
    """Sleeping takes no time; connections that end get a moment to do so."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def wait(self, futures: Collection[Future[str]], seconds: float) -> None:
        if wait(futures, timeout=min(0.3, seconds)).not_done:
            self.time += seconds


def once(*errors: TailnetError | None) -> Callable[..., None]:
    """Raises each of these at one call, and nothing after."""
    left = list(errors)

    def call(*_: object) -> None:
        error = left.pop(0) if left else None
        if error:
            raise error

    return call


@dataclass
class Bench:
    """A switch with everything around it.

    `down` are hosts that cannot be reached under any policy; `attempts` all connections, with the
    time at which each began.
    """

    folder: Path
    settle: float = 10.0
    limit: float = 60.0
    down: set[str] = field(default_factory=set)
    attempts: list[tuple[str, float]] = field(default_factory=list)
    told: list[Progress] = field(default_factory=list)
    clock: JumpingClock = field(default_factory=JumpingClock)

    def __post_init__(self) -> None:
        self.file = self.folder / "live.hujson"
        if not self.file.exists():
            self.file.write_text(OLD)
        self.control = FileControl(self.file)
        self.record = Record(self.folder / "record")

    def reach(self, host: str) -> str:
        """As a host that lets in whom the policy in force lets in."""
        self.attempts.append((host, self.clock.now()))
        allowed = f'"tag:{host}"' in self.file.read_text()
        return "" if allowed and host not in self.down else f"no connection to {host}"

    def switch(self) -> Switch:
        return Switch(
            self.control,
            self.record,
            self.reach,
            self.clock,
            self.told.append,
            self.settle,
            self.limit,
        )

    def stages(self) -> list[Stage]:
        return [progress.stage for progress in self.told]

    def live(self) -> str:
        return self.file.read_text()


def soon(condition: Callable[[], bool]) -> None:
    """Wait until something is so, which another thread brings about."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.01)
