"""docs/benchmarks.md, from what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median

from benchmarks import rendering, stages, startup
from benchmarks.aims import OURS, others_slowed, verdicts
from benchmarks.cases import CASES, CHANGED_TAG, SLOW_HOST, Case
from benchmarks.results import Part, Results

_RUNS = 7  # timed ones, below which the page says how many there were

_HEAD = """# Measured speed

Written by `make bench`, which takes hours, from [its results](../benchmarks/results.json).
`python -m benchmarks --help` tells how to measure parts: what is not measured anew stays.
"""

_METHOD = """## Against other tools

The same work on the same files, on one lab: hosts in containers, each with its own sshd and Docker
engine ([the lab](how-to/lab.md)). Two small stacks per host: HAProxy with two files of
configuration, and node-exporter. Each figure is the median of the timed runs after one run to warm
up; the tools take turns, each time another one first. After each run the hosts' engines and files are
read past the tools: a no-op that changed a container or a file, or a change that is not there (also in
what the web server answers), ends the measurement. Before each change paisctl brings the hosts back to
the first state, before each first deploy they are emptied; neither is timed.

The controller and all hosts share the processors named above, so what a tool makes its hosts do
counts in its wall time. On real hosts with processors of their own, times with many hosts are shorter, most of
all for tools that do much on the hosts.

- **ssh HOST true**: `ssh` to all hosts at once, doing nothing. What the machine gives.
- **shell script**: the least that could work. Plan: one `ssh` per host with `sha256sum`, `docker ps`
  and `docker inspect`. Apply: `tar` through `ssh`, `docker compose up -d`, a signal if a file changed.
  **waiting** is the same with `up -d --wait`.
- **paisctl**: as in daily use. Apply also plans, locks, keeps the generation before, **waits until the services
  are well and stay so**, and reads every host again. Of the others only "waiting" waits for health.
- **pyinfra**: `files.sync`, `files.put`, `docker.compose`; `--no-wait`. Its plan (`--dry`) cannot tell what
  Compose would do; it reads the containers by the fact `DockerContainers`.
- **Ansible**: `ansible.posix.synchronize` (one rsync for all files: quicker here than `copy` and than
  `unarchive`) and `community.docker.docker_compose_v2`; pipelining, 20 forks, ControlPersist,
  `strategy: free`, no fact gathering. Plan is `--check`. Each run connects anew, as the other tools' do.

*Processor*: user and system time of the tool and all its processes on the controller, ssh's masters too.
*Memory*: their proportional set sizes at the peak, in the run to warm up. *Traffic*: bytes
through the host's network interface, both ways. *Executions*: sessions that its sshd started.
All playbooks, deploys and scripts: [benchmarks/peers](../benchmarks/peers).
"""


def write(results: Results) -> str:
    """The text of the page. What was not measured is left out, but for aims: those say so."""
    sections = [_HEAD, *_about(results), *_aims(results), *_against(results), *_alone(results)]
    return "\n".join(sections).rstrip() + "\n"


def _about(results: Results) -> Iterator[str]:
    """What it was measured on; what differs between runs stands in a table of runs."""
    runs = results.runs
    if not runs:
        yield "Nothing was measured yet.\n"
        return
    names = list(dict.fromkeys(name for about in runs.values() for name in about))
    same = [name for name in names if len({about.get(name) for about in runs.values()}) == 1]
    latest = runs[max(runs)]
    yield from (f"- {name}: {latest[name]}" for name in same)
    yield ""
    differing = [name for name in names if name not in same]
    yield f"| {' | '.join(['begun, UTC', *differing, 'measured'])} |"
    yield "|---" * (len(differing) + 2) + "|"
    for run, about in runs.items():
        cells = [run, *(about.get(name, "") for name in differing), _measured_in(results, run)]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _measured_in(results: Results, run: str) -> str:
    """What a run has contributed: its cases, each with the numbers of hosts; and what else."""
    found = []
    for case in CASES:
        sizes = [
            str(size)
            for size in results.sizes()
            if any(part.run == run for part in results.get(size, case.name).values())
        ]
        if sizes:
            found.append(f"{case.title.lower()} ({', '.join(sizes)} hosts)")
    alone = {"startup": "start-up", "rendering": "rendering"}
    return "; ".join(found + [title for name, title in alone.items() if _is_of(results, name, run)])


def _is_of(results: Results, name: str, run: str) -> bool:
    found = results.alone(name)
    return bool(found and found.run == run)


def _aims(results: Results) -> Iterator[str]:
    if not results.sizes():
        return
    yield "## What was aimed at\n"
    yield "| aim | hosts | measured | |"
    yield "|---|---:|---|---|"
    for each in verdicts(results):
        verdict = "" if not each.found else "reached" if each.is_reached else "**missed**"
        yield f"| {each.aim} | {each.hosts} | {each.found or 'not measured'} | {verdict} |"
    yield ""


def _against(results: Results) -> Iterator[str]:
    if not results.sizes():
        return
    yield _METHOD
    for case in CASES:
        found = {size: results.get(size, case.name) for size in results.sizes()}
        found = {size: parts for size, parts in found.items() if parts}
        if found:
            yield from _case(case, found)
            if case is SLOW_HOST:
                yield from _uneven(results, found)


def _case(case: Case, found: Mapping[int, Mapping[str, Part]]) -> Iterator[str]:
    yield f"### {case.title}\n"
    yield (
        "| hosts | tool | wall, s | from, to | against paisctl | processor, s | memory, MiB "
        "| traffic, KiB/host | executions/host |"
    )
    yield "|---:|---|---:|---:|---:|---:|---:|---:|---:|"
    for size, parts in found.items():
        ours = parts.get(OURS)
        for name, part in parts.items():
            yield _row(size, name, part, ours)
    yield ""
    for size, parts in found.items():
        yield from _remarks(size, parts)


def _row(size: int, name: str, part: Part, ours: Part | None) -> str:
    cells = [
        str(size),
        f"**{name}**" if part is ours else name,
        f"{part.seconds:.2f}",
        f"{min(part.wall):.2f}, {max(part.wall):.2f}",
        f"{part.seconds / ours.seconds:.2f}" if ours else "",
        f"{median(part.cpu):.2f}",
        f"{part.memory / 2**20:.0f}",
        f"{median(part.traffic) / 1024:.1f}",
        f"{median(part.executions):g}",
    ]
    return f"| {' | '.join(cells)} |"


def _remarks(size: int, parts: Mapping[str, Part]) -> Iterator[str]:
    """What a reader must know to compare: fewer runs, or not the same time."""
    fewest = min(len(part.wall) for part in parts.values())
    if fewest < _RUNS:
        yield f"{size} hosts: only {fewest} {'run' if fewest == 1 else 'runs'}.\n"
    if len({part.run for part in parts.values()}) > 1:
        yield f"{size} hosts: not all tools were measured in the same run.\n"


def _uneven(results: Results, found: Mapping[int, Mapping[str, Part]]) -> Iterator[str]:
    """Whether a slow host slows the others."""
    yield (
        "The last host had a tenth of a processor, by `docker update --cpus`. When had all *others* "
        "their new container, by what their engines say, counted from the start of the command? "
        "Measured in turns with hosts that are all as quick.\n"
    )
    yield "| hosts | tool | others, all quick, s | others, one slow, s | times | whole command, one slow, s |"
    yield "|---:|---|---:|---:|---:|---:|"
    apart = []
    for size, parts in found.items():
        for name, part in parts.items():
            even = results.get(size, CHANGED_TAG.name).get(name)
            times = others_slowed(even, part) if even else None
            if even and times is not None:
                yield (
                    f"| {size} | {name} | {median(even.others):.2f} | {median(part.others):.2f} "
                    f"| {times:.2f} | {part.seconds:.2f} |"
                )
                if even.run != part.run:
                    apart.append(f"{size} hosts, {name}")
    yield ""
    if apart:
        yield f"Not in turns, but in different runs: {'; '.join(apart)}.\n"


def _alone(results: Results) -> Iterator[str]:
    profiles = {size: results.alone(stages.name_of(size)) for size in results.sizes()}
    figures = {size: found.figures for size, found in profiles.items() if found}
    if figures:
        yield from stages.section(figures)
    if found := results.alone("startup"):
        yield from startup.section(found.figures)
    if found := results.alone("rendering"):
        yield from rendering.section(found.figures)
