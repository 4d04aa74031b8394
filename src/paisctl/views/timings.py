"""Where the time went, as a person reads it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

from rich.text import Text

from paisctl.timings import Stage, Timings
from paisctl.views.console import render
from paisctl.views.table import table


def as_text(timings: Timings) -> str:
    """A line for each stage, in order, with its seconds; then what hosts did at the same time."""
    return render(_lines(timings))


def _lines(timings: Timings) -> Iterator[Text]:
    rows = [[stage.name, f"{stage.wall:.3f}", f"{stage.processor:.3f}"] for stage in _all(timings)]
    yield from table(("stage", "seconds", "of a processor"), rows)
    for name, seconds in timings.hosts.items():
        slowest = max(seconds, key=lambda device: seconds[device])
        yield Text(
            f"{name}: median {median(seconds.values()):.3f} s, "
            f"slowest {slowest} {seconds[slowest]:.3f} s, {len(seconds)} at once"
        )


def _all(timings: Timings) -> Iterator[Stage]:
    """The stages, what lies between them, and the sum."""
    wall = time.monotonic() - timings.began
    processor = time.process_time()
    yield Stage("start Python and paisctl", timings.start_up, timings.start_up)
    yield from timings.stages
    yield Stage(
        "between these: imports, output, questions",
        wall - sum(stage.wall for stage in timings.stages),
        processor - timings.start_up - sum(stage.processor for stage in timings.stages),
    )
    yield Stage("in all", timings.start_up + wall, processor)
