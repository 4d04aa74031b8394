"""`paisctl --help` against a bare Python: processor time of the whole process."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from benchmarks.timing import interleaved

_FLOOR = "python -c 'import typer'"


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def measure() -> dict[str, list[float]]:
    """Seconds by command."""
    paisctl = str(Path(sys.executable).with_name("paisctl"))
    subjects = {
        "python -c pass": partial(_run, [sys.executable, "-c", "pass"]),
        _FLOOR: partial(_run, [sys.executable, "-c", "import typer"]),
        "paisctl --help": partial(_run, [paisctl, "--help"]),
    }
    times = interleaved(subjects, _cpu_of_children)
    return {name: [seconds] for name, seconds in times.items()}


def section(figures: Mapping[str, list[float]]) -> Iterator[str]:
    """The lines of this part of the page."""
    yield "## Start-up\n"
    yield "Processor time of the process; the floor is importing typer and nothing else.\n"
    yield "| command | seconds | against the floor |"
    yield "|---|---:|---:|"
    for name, [seconds] in figures.items():
        yield f"| `{name}` | {seconds:.3f} | {seconds / figures[_FLOOR][0]:.2f} |"
    yield ""
