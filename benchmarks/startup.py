"""`paisctl --help` against a bare Python: processor time of the whole process."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.timing import interleaved


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def measure() -> Iterator[str]:
    """The lines of this part of the page."""
    paisctl = str(Path(sys.executable).with_name("paisctl"))
    subjects = {
        "python -c pass": partial(_run, [sys.executable, "-c", "pass"]),
        "python -c 'import typer'": partial(_run, [sys.executable, "-c", "import typer"]),
        "paisctl --help": partial(_run, [paisctl, "--help"]),
    }
    times = interleaved(subjects, _cpu_of_children)
    floor = times["python -c 'import typer'"]
    yield "## Start-up\n"
    yield "Processor time of the process; the floor is importing typer and nothing else.\n"
    yield "| command | seconds | against the floor |"
    yield "|---|---|---|"
    for name, seconds in times.items():
        yield f"| `{name}` | {seconds:.3f} | {seconds / floor:.2f} |"
    yield ""
