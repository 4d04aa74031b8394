"""docs/benchmarks.md, from what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.cases import CASES, Case
from benchmarks.results import Part, Results

_OURS = "paisctl"
# The aims for a no-op plan: the peer, and how many times its time may be ours at least.
_AIMS = (("shell script", 1.0), ("pyinfra", 2.0), ("Ansible", 15.0))

_HEAD = """# Measured speed

Written by `make bench`, which takes hours. `python -m benchmarks --help` tells how to measure parts.
"""

_METHOD = """## Against other tools

The same work on the same files, on one lab: hosts in containers, each with its own sshd and Docker
engine ([the lab](how-to/lab.md)). Two small stacks per host: HAProxy with two files of
configuration, and node-exporter. Each figure is the median of the timed runs after one run to warm
up; the tools take turns. Before and after each run the hosts' engines and files are read past the
tools: a no-op that changed a container or a file, or a change that is not there (also in what the web
server answers), ends the measurement.

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
*Memory*: their proportional set sizes at the peak, in a run that is not timed. *Traffic*: bytes
through the host's network interface, both ways. *Executions*: sessions that its sshd started.
All playbooks, deploys and scripts: [benchmarks/peers](../benchmarks/peers).
"""


def write(results: Results) -> str:
    """The text of the page."""
    about = [f"- {name}: {value}" for name, value in results.about.items()]
    sections = [_HEAD, *about, "", *_against(results), *results.alone]
    return "\n".join(sections).rstrip() + "\n"


def _against(results: Results) -> Iterator[str]:
    if not results.sizes():
        return
    yield _METHOD
    yield from _aims(results)
    yield from _uneven(results)
    for case in CASES:
        found = {size: results.get(size, case.name) for size in results.sizes()}
        if any(found.values()):
            yield from _case(case, found)


def _case(case: Case, found: dict[int, dict[str, Part]]) -> Iterator[str]:
    yield f"### {case.title}\n"
    yield (
        "| hosts | tool | wall, s | from, to | against paisctl | processor, s | memory, MiB "
        "| traffic, KiB/host | executions/host |"
    )
    yield "|---:|---|---:|---:|---:|---:|---:|---:|---:|"
    for size, parts in found.items():
        ours = parts.get(_OURS)
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


def _remarks(size: int, parts: dict[str, Part]) -> Iterator[str]:
    """What a reader must know to compare: fewer runs, or not the same time."""
    runs = sorted({len(part.wall) for part in parts.values()})
    if runs and runs[0] < 7:
        yield f"{size} hosts: {runs[0]} runs only.\n"
    if len({part.run for part in parts.values()}) > 1:
        yield f"{size} hosts: not all tools were measured in the same run.\n"


def _uneven(results: Results) -> Iterator[str]:
    """Whether a slow host slows the others."""
    even = {size: results.get(size, "changed-tag") for size in results.sizes()}
    uneven = {size: results.get(size, "slow-host") for size in results.sizes()}
    if not any(uneven.values()):
        return
    yield "### One slow host among others: a changed image tag\n"
    yield "One host has a tenth of a processor. When had all *others* their new container?\n"
    yield "| hosts | tool | all as quick, s | one slow, s | times | whole command then, s |"
    yield "|---:|---|---:|---:|---:|---:|"
    for size, parts in uneven.items():
        for name, part in parts.items():
            before = even[size].get(name)
            if before and before.others and part.others:
                without, within = median(before.others), median(part.others)
                yield (
                    f"| {size} | {name} | {without:.2f} | {within:.2f} | {within / without:.2f} "
                    f"| {part.seconds:.2f} |"
                )
    yield ""


def _aims(results: Results) -> Iterator[str]:
    """Whether a no-op plan is as quick as it is meant to be."""
    yield "### What was aimed at: a no-op plan\n"
    yield "| hosts | paisctl, s | per host, ms | peer | peer, s | times ours | aim | |"
    yield "|---:|---:|---:|---|---:|---:|---:|---|"
    for size in results.sizes():
        parts = results.get(size, "noop-plan")
        ours = parts.get(_OURS)
        if not ours:
            continue
        each = ours.seconds / size * 1000
        for peer, aim in _AIMS:
            if peer not in parts:
                continue
            times = parts[peer].seconds / ours.seconds
            verdict = "reached" if times >= aim else "missed"
            yield (
                f"| {size} | {ours.seconds:.2f} | {each:.0f} | {peer} | "
                f"{parts[peer].seconds:.2f} | {times:.1f} | {aim:g} | {verdict} |"
            )
    yield ""
