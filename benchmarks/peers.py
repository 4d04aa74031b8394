"""paisctl against its peers, on one lab, in turns. Every run is checked to have done its work."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.cases import WEB, Case, look, problems
from benchmarks.engine import Machine
from benchmarks.fleet import Fleet
from benchmarks.measure import Sample, adopt_orphans, peak_memory, run
from benchmarks.results import Part, Results
from benchmarks.tools import BareSsh, Command, Paisctl, Tool, WaitingShell, all_tools
from paisctl.lab.engine import local_engine

FOLDER = Path(".paisctl/benchmarks")
_SETTLE = 0.5  # seconds for what a run has left to do on the hosts
_SLOW = 0.1  # of a processor: about a small board beside this machine


class WorkNotDone(Exception):
    """A measured run failed, or did not leave the hosts as it should have."""


class Race:
    """Measures on one fleet.

    Args:
        fleet: where; it is grown as needed.
        results: what is measured goes there, part by part.
        runs: how many timed runs each tool has in each part.
        names: the tools to measure; none means all.
    """

    def __init__(
        self, fleet: Fleet, results: Results, runs: int, names: Sequence[str] = ()
    ) -> None:
        self._fleet, self._results, self._runs = fleet, results, runs
        self._tools = [tool for tool in all_tools(fleet) if not names or tool.name in names]
        self._machines: list[Machine] = []
        self._started = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
        adopt_orphans()

    def has(self, hosts: int, case: Case) -> bool:
        """Whether every tool has its runs in a part."""
        parts = self._results.get(hosts, case.name)
        wanted = [tool.name for tool in self._tools if _takes_part(tool, case)]
        return all(name in parts and len(parts[name].wall) >= self._runs for name in wanted)

    def measure(self, hosts: int, cases: Sequence[Case]) -> None:
        """All cases on so many hosts."""
        self._fleet.grow(hosts)
        self._machines = _machines(self._fleet)
        for case in cases:
            started = time.monotonic()
            _say(f"{hosts} hosts, {case.title.lower()}")
            self._part(hosts, case)
            if case.is_plan:
                self._profile(hosts)
            _say(f"{hosts} hosts, {case.title.lower()}: {time.monotonic() - started:.0f} s")

    def _part(self, hosts: int, case: Case) -> None:
        tools = [tool for tool in self._tools if _takes_part(tool, case)]
        parts = {tool.name: Part(self._started) for tool in tools}
        self._wipe()
        self._to_base()
        if case.is_plan:
            self._prove_sight(tools)
        for tool in tools:  # a warm-up, too
            with peak_memory() as peak:
                self._run(tool, case)
            parts[tool.name].memory = peak[0]
        for _ in range(self._runs):
            for tool in tools:
                sample = self._run(tool, case)
                parts[tool.name].add(sample, self._others(case, sample))
        for name, part in parts.items():
            self._results.put(hosts, case.name, name, part)

    def _profile(self, hosts: int) -> None:
        """Note what paisctl says of where the time of a plan goes; not one of the timed runs."""
        plan = Paisctl(self._fleet).plan("base")
        said = self._command(replace(plan, words=[plan.words[0], "--timings", *plan.words[1:]]))
        stages = said.output.partition("\nstage ")[2]
        lines = [f"### Where it goes: `paisctl --timings plan`, {hosts} hosts\n", "```text"]
        self._results.put_alone(f"profile {hosts}", [*lines, f"stage {stages}```", ""])

    def _prove_sight(self, tools: Sequence[Tool]) -> None:
        """A plan that would not see a changed file is not worth its time."""
        for tool in tools:
            said = self._command(tool.plan("changed-file")).output
            if tool.saw_nothing(said) and not isinstance(tool, BareSsh):
                raise WorkNotDone(f"{tool.name} does not see a changed file:\n{said}")

    def _run(self, tool: Tool, case: Case) -> Sample:
        """One run from the state that the case begins with."""
        if case.is_first:
            self._wipe()
        elif case.variant != "base":
            self._to_base()
        time.sleep(_SETTLE)
        before = look(self._machines)
        command = tool.plan(case.variant) if case.is_plan else tool.apply(case.variant)
        with self._uneven() if case.is_uneven else nullcontext():
            sample = self._command(command)
        time.sleep(_SETTLE)
        wrong = problems(case, before, look(self._machines))
        if sample.status:
            wrong.insert(0, f"it ended with {sample.status}")
        if case.is_plan and not tool.saw_nothing(sample.output):
            wrong.append("its plan finds something to do")
        if wrong:
            found = "\n".join(wrong)
            raise WorkNotDone(f"{tool.name}, {case.title.lower()}:\n{found}\n\n{sample.output}")
        _say(f"  {tool.name}: {sample.wall:.2f} s, {sample.cpu:.2f} s of processor time")
        return sample

    @contextmanager
    def _uneven(self) -> Iterator[None]:
        """The last of the hosts has a tenth of a processor only."""
        engine, name = local_engine(), self._fleet.hosts[-1].container
        engine.container.update(name, cpus=_SLOW)
        try:
            yield
        finally:
            engine.container.update(name, cpus=os.cpu_count())

    def _others(self, case: Case, sample: Sample) -> float | None:
        """Seconds until all hosts but the last had their new container, by their engines."""
        if case.variant != "changed-tag":
            return None
        return max(each.started(WEB) for each in self._machines[:-1]) - sample.began

    def _to_base(self) -> None:
        """Paisctl brings every host to the first state, whoever has changed it."""
        sample = self._command(Paisctl(self._fleet).apply("base"))
        if sample.status:
            raise WorkNotDone(f"back to the first state:\n{sample.output}")

    def _command(self, command: Command) -> Sample:
        return run(command.words, command.environment, self._machines)

    def _wipe(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(Machine.wipe, self._machines))


def _takes_part(tool: Tool, case: Case) -> bool:
    """The floor is measured once; waiting makes a difference only where something was started."""
    if isinstance(tool, BareSsh):
        return case.is_plan
    return not isinstance(tool, WaitingShell) or case.starts_containers


def _machines(fleet: Fleet) -> list[Machine]:
    containers = local_engine().container.inspect([host.container for host in fleet.hosts])
    processes: Mapping[str, int | None] = {each.name: each.state.pid for each in containers}
    return [
        Machine(host.device, host.address, processes[host.container] or 0) for host in fleet.hosts
    ]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - what goes on, in a run of hours
