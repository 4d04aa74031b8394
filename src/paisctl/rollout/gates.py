"""Waiting at gates: each must be passed in its time, and then stay passed for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from paisctl.cluster.driver import Answer, Ask
from paisctl.errors import PaisctlError
from paisctl.rollout.events import Asked, Watcher

_EVERY = 2.0  # seconds between two looks
_LOOKS = 3  # a gate that is to stay passed is asked so often at least

Clock = Callable[[], float]
Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one gate, in seconds: how long it may take, for how long it must then stay passed."""

    timeout: float
    hold: float


class GateFailed(PaisctlError):
    """A gate was not passed in its time; `gate` says which one."""

    def __init__(self, gate: str, message: str) -> None:
        super().__init__(message)
        self.gate = gate


def pass_gates(
    device: str,
    gates: Mapping[str, Ask],
    limits: Mapping[str, Limits],
    watcher: Watcher,
    *,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> None:
    """Wait until all gates of a member are passed, one after the other.

    Args:
        device: the member.
        gates: what asks, by name.
        limits: theirs, in the order in which they are passed.
        watcher: told of every answer.
        clock: the time in seconds.
        sleep: waits for some seconds.

    Raises:
        GateFailed: one was not passed in its time.
    """
    for name, limit in limits.items():
        _pass_gate(device, name, gates[name], limit, watcher, clock, sleep)


def _pass_gate(
    device: str, name: str, ask: Ask, limit: Limits, watcher: Watcher, clock: Clock, sleep: Sleep
) -> None:
    began, since, looks = clock(), None, 0
    every = min(_EVERY, max(limit.hold / _LOOKS, 0.1)) if limit.hold else _EVERY / 4
    while True:
        answer, now = _asked(ask), clock()
        if answer.passed:
            since, looks = (now, 1) if since is None else (since, looks + 1)
        else:
            since, looks = None, 0
        held = 0.0 if since is None else now - since
        is_through = (
            since is not None and held >= limit.hold and looks >= (_LOOKS if limit.hold else 1)
        )
        watcher(
            Asked(device, name, answer, now - began, limit.timeout, held, limit.hold, is_through)
        )
        if is_through:
            return
        # What is passed and only has to stay so gets the time for that.
        if since is None and now - began >= limit.timeout:
            said = answer.said or "no answer"
            raise GateFailed(name, f"{name} was not passed within {limit.timeout:g} s: {said}")
        sleep(every)


def _asked(ask: Ask) -> Answer:
    try:
        return ask()
    except PaisctlError as error:
        return Answer(passed=False, said=error.message)
