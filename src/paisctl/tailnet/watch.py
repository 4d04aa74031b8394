"""Logging in to hosts over fresh connections until each was reached, or the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, wait
from typing import Protocol

from paisctl.tailnet.outcome import Listener, Progress, Sighting, Stage
from paisctl.threads import start_thread

_ROUND = 5.0  # seconds after which a round no longer waits for those that hang
_PAUSE = 1.0  # seconds between rounds

Reach = Callable[[str], str]
"""Logs in to a host over a new connection; returns why it could not, or nothing. Any thread."""


class Clock(Protocol):
    """Time, as far as waiting for hosts needs it."""

    def now(self) -> float:
        """Seconds that only go up."""

    def sleep(self, seconds: float) -> None:
        """Do nothing for a while."""

    def wait(self, futures: Collection[Future[str]], seconds: float) -> None:
        """Wait until all have ended, but no longer than that."""


class WallClock:
    """Time as it passes."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def wait(self, futures: Collection[Future[str]], seconds: float) -> None:
        wait(futures, timeout=seconds)


def look(hosts: Sequence[str], reach: Reach, clock: Clock, limit: float) -> tuple[Sighting, ...]:
    """Ask every host once, all at the same time.

    Args:
        hosts: whom.
        reach: how.
        clock: the time.
        limit: seconds for all of them.
    """
    since = clock.now()
    attempts = {host: start_thread(reach, host) for host in hosts}
    clock.wait(attempts.values(), limit)
    took = clock.now() - since
    return tuple(Sighting(host, _problem(attempt), took) for host, attempt in attempts.items())


def watch(
    hosts: Sequence[str],
    reach: Reach,
    clock: Clock,
    since: float,
    limit: float,
    listener: Listener,
) -> tuple[Sighting, ...]:
    """Ask in rounds, all hosts at the same time, until each was reached.

    Every host is asked at least once, even if the time is up. A host whose connection hangs is not
    asked by a second one meanwhile, and keeps no other waiting for long.

    Args:
        hosts: whom.
        reach: how.
        clock: the time.
        since: from when on time counts.
        limit: seconds after which who was not reached is gone.
        listener: is told of everybody who is reached, and of problems when they change.
    """
    deadline = max(since + limit, clock.now() + _ROUND)
    seen: dict[str, Sighting] = {}
    running: dict[str, Future[str]] = {}
    while True:
        missing = [h for h in hosts if h not in seen or seen[h].problem]
        running |= {host: start_thread(reach, host) for host in missing if host not in running}
        clock.wait(running.values(), min(_ROUND, max(0.0, deadline - clock.now())))
        for host in missing:
            before = seen.get(host)
            problem = _problem(running[host], before.problem if before else "")
            seen[host] = Sighting(host, problem, clock.now() - since)
            _tell(listener, before, seen[host])
        running = {host: attempt for host, attempt in running.items() if not attempt.done()}
        if not any(seen[host].problem for host in hosts) or clock.now() + _PAUSE >= deadline:
            return tuple(seen[host] for host in hosts)
        clock.sleep(_PAUSE)


def _problem(attempt: Future[str], before: str = "") -> str:
    if not attempt.done():
        return before or "the connection hangs"
    error = attempt.exception()
    return attempt.result() if error is None else str(error) or type(error).__name__


def _tell(listener: Listener, before: Sighting | None, now: Sighting) -> None:
    if before is None or before.problem != now.problem:
        stage = Stage.NOT_REACHED if now.problem else Stage.REACHED
        listener(Progress(stage, now.host, now.problem, now.seconds))
