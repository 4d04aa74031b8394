"""The lock of a host: who changes it, since when, and whether they are still there. Pure.

A lock is a lease. It is held as long as the process that took it lives; where nobody can judge
that, as long as it gives signs of life. Its times are the host's own clock's.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from paisctl.observed import HostState

PATIENCE = 60  # seconds without a sign of life, after which nobody is thought to be there


@dataclass(frozen=True, slots=True)
class Lease:
    """A lock as it was read.

    Attributes:
        run: the name of the run that took it; empty when the lock is damaged, and so are the
            other texts then.
        who: the user who applies.
        machine: where they do.
        command: what they typed: `apply`, `rollback to 6`.
        since: when it was taken, RFC 3339 in UTC.
        heartbeat: the last sign of life, likewise.
        is_held: whether somebody is still there.
        is_judged: whether the process itself was looked at, rather than its signs of life.
    """

    run: str
    who: str
    machine: str
    command: str
    since: str
    heartbeat: str
    is_held: bool
    is_judged: bool

    def __str__(self) -> str:
        """Who, with what, since when; no age, so that equal states give equal texts."""
        if not self.run:
            return "somebody (the lock is damaged)"
        since = self.since[:16].replace("T", " ")
        return f"{self.who}@{self.machine} ({self.command}, since {since} UTC)"


def lease_of(state: HostState) -> Lease | None:
    """The lock on a host; None when there is none. One that a power cut has torn is nobody's."""
    if not state.lock.strip():
        return None
    try:
        lock = json.loads(state.lock)
        started, heartbeat = int(lock["started"]), int(lock["heartbeat"])
        texts = [" ".join(str(lock[key]).split()) for key in ("run", "who", "machine", "command")]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return Lease("", "", "", "", "", "", is_held=bool(state.lock_alive), is_judged=True)
    alive = state.lock_alive
    is_held = state.epoch - heartbeat <= PATIENCE if alive is None else alive
    run, who, machine, command = texts
    since, sign = utc(started), utc(heartbeat)
    return Lease(run, who, machine, command, since, sign, is_held, alive is not None)


def utc(epoch: int) -> str:
    """Seconds since 1970 as RFC 3339; empty when there is no such time."""
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    except (ValueError, OverflowError, OSError):
        return ""
