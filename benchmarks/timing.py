"""Interleaved timing: what is compared is measured in turns, so that both see the same machine."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median

RUNS = 7


def interleaved(
    subjects: Mapping[str, Callable[[], object]], clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Run every subject `RUNS` times, in turns.

    Returns:
        The median seconds of each, by name.
    """
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(RUNS):
        for name, subject in subjects.items():
            gc.collect()
            start = clock()
            subject()
            taken[name].append(clock() - start)
    return {name: median(times) for name, times in taken.items()}
