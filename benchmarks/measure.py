"""One run of a command: wall time, processor time, memory; per host bytes and executions."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine import Machine

_SET_CHILD_SUBREAPER = 36  # prctl(2)
_LOOK_EVERY = 0.1  # seconds


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run took: seconds, and per host bytes and executions.

    `began` is in seconds since 1970; `memory` is the peak in bytes, 0 unless it was watched.
    """

    began: float
    wall: float
    cpu: float
    traffic: float
    executions: float
    memory: int
    status: int
    output: str


def adopt_orphans() -> None:
    """Become the parent of what commands leave behind, such as ssh's masters: they count, too."""
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot become a child subreaper")


def run(
    command: list[str],
    environment: Mapping[str, str],
    machines: Collection[Machine],
    *,
    watch: bool = False,
) -> Sample:
    """Run a command to its end, and end what it leaves running, so that each run starts cold.

    Watching its memory takes processor time: what is watched is not to be timed.
    """
    before = {machine.device: machine.counters() for machine in machines}
    used = _processor_time()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output,
        _peak_memory() if watch else nullcontext([0]) as peak,
    ):
        began, start = time.time(), time.perf_counter()
        try:
            done = subprocess.run(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
            wall = time.perf_counter() - start
        finally:
            _end_orphans()
        output.seek(0)
        said = output.read()
    grown = [machine.counters() - before[machine.device] for machine in machines]
    return Sample(
        began=began,
        wall=wall,
        cpu=_processor_time() - used,
        traffic=sum(each.traffic for each in grown) / len(grown),
        executions=sum(each.executions for each in grown) / len(grown),
        memory=peak[0],
        status=done.returncode,
        output=said,
    )


@contextmanager
def _peak_memory() -> Iterator[list[int]]:
    """Watch the memory of all descendants; the list has the peak, in bytes, at the end.

    It is the sum of their proportional set sizes: what forks share is counted once.
    """
    peak, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_EVERY):
            peak[0] = max(peak[0], sum(map(_memory, _descendants(os.getpid()))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def _processor_time() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _end_orphans() -> None:
    while orphans := _children(os.getpid()):
        for orphan in orphans:
            os.kill(orphan, signal.SIGTERM)
        for orphan in orphans:
            os.waitpid(orphan, 0)


def _children(process: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += map(int, task.read_text("ascii").split())
        except OSError:  # it has ended
            continue
    return found


def _descendants(process: int) -> Iterator[int]:
    for child in _children(process):
        yield child
        yield from _descendants(child)


def _memory(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
