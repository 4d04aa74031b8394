"""Where the time of a plan goes, by what `paisctl --timings` says of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from statistics import median

_HEADING = re.compile(r"^stage +seconds +of a processor$", re.MULTILINE)
_STAGE = re.compile(r"^(\S.*?) {2,}(\d+\.\d+) +(\d+\.\d+)$")
_AT_HOSTS = re.compile(r"^(\w+): median (\d+\.\d+) s, slowest \S+ (\d+\.\d+) s, \d+ at once$")


def name_of(hosts: int) -> str:
    """What the figures with so many hosts are called in the results."""
    return f"profile {hosts}"


def parse(said: str) -> dict[str, list[float]]:
    """Two figures for each stage: seconds, and seconds of a processor.

    For what hosts do at the same time they are the median host's seconds and the slowest one's.
    """
    heading = _HEADING.search(said)
    if not heading:
        raise ValueError(f"no timings in {said!r}")
    found: dict[str, list[float]] = {}
    for line in said[heading.end() :].splitlines():
        if match := _STAGE.match(line):
            found[match[1]] = [float(match[2]), float(match[3])]
        elif match := _AT_HOSTS.match(line):
            found[f"{match[1]}, at a host"] = [float(match[2]), float(match[3])]
    return found


def medians(runs: Iterable[Mapping[str, list[float]]]) -> dict[str, list[float]]:
    """Of several runs, figure by figure."""
    all_runs = list(runs)
    return {
        name: [median(run[name][figure] for run in all_runs) for figure in range(2)]
        for name in all_runs[0]
    }


def section(profiles: Mapping[int, Mapping[str, list[float]]]) -> Iterator[str]:
    """The lines of this part of the page, from the figures by number of hosts."""
    yield "## Where the time of a no-op plan goes\n"
    yield (
        "`paisctl --timings plan`: seconds, and in brackets those of the controller's processor. Of "
        "what hosts do at the same time: the median host, and in brackets the slowest.\n"
    )
    yield f"| stage | {' | '.join(f'{hosts} hosts' for hosts in profiles)} |"
    yield f"|---|{'---:|' * len(profiles)}"
    names = dict.fromkeys(name for stages in profiles.values() for name in stages)
    for name in names:
        cells = (_cell(stages.get(name)) for stages in profiles.values())
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""


def _cell(figures: list[float] | None) -> str:
    return f"{figures[0]:.3f} ({figures[1]:.3f})" if figures else ""
