"""Where the time of a command goes, stage by stage: `paisctl --timings`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a command, in seconds; `processor` is what all of its threads used of a processor."""

    name: str
    wall: float
    processor: float


@dataclass
class Timings:
    """What a command, which is all that a process does, has noted.

    `hosts` has the seconds that each host took for what all of them do at the same time.
    """

    began: float = field(default_factory=time.monotonic)
    start_up: float = field(default_factory=time.process_time)
    stages: list[Stage] = field(default_factory=list)
    hosts: dict[str, dict[str, float]] = field(default_factory=dict)


TIMINGS = Timings()


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Note how long something takes, also when it fails. Stages do not overlap."""
    wall, processor = time.monotonic(), time.process_time()
    try:
        yield
    finally:
        took = Stage(name, time.monotonic() - wall, time.process_time() - processor)
        TIMINGS.stages.append(took)


@contextmanager
def at_host(name: str, device: str) -> Iterator[None]:
    """Note how long a host takes for its share of something."""
    wall = time.monotonic()
    try:
        yield
    finally:
        TIMINGS.hosts.setdefault(name, {})[device] = time.monotonic() - wall
