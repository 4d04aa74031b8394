"""paisctl against its peers, on one lab, in turns. Every run is checked to have done its work."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import product
from pathlib import Path

from benchmarks import stages
from benchmarks.cases import NOOP_APPLY, WEB, Case, Look, Step, look, problems
from benchmarks.engine import Machine
from benchmarks.fleet import Fleet
from benchmarks.measure import Sample, adopt_orphans, run
from benchmarks.results import Part, Results
from benchmarks.tools import BareSsh, Command, Paisctl, Tool, WaitingShell, all_tools
from paisctl.lab.engine import local_engine

FOLDER = Path(".paisctl/benchmarks")
_SETTLE = 0.5  # seconds for what a command has left to do on the hosts
_SLOW = 0.1  # of a processor: about a small board beside this machine


class WorkNotDone(Exception):
    """A measured run failed, or did not leave the hosts as it should have."""


class Race:
    """Measures on one fleet.

    Args:
        fleet: where; its size is changed as needed.
        results: what is measured goes there, step by step.
        runs: how many timed runs each tool has in each case.
        names: the tools to measure; none means all.
    """

    def __init__(
        self, fleet: Fleet, results: Results, runs: int, names: Sequence[str] = ()
    ) -> None:
        self._fleet, self._results, self._runs = fleet, results, runs
        self._tools = [tool for tool in all_tools(fleet) if not names or tool.name in names]
        self._machines: list[Machine] = []
        self._seen: Mapping[str, Look] = {}  # the hosts as they are now
        adopt_orphans()

    def has(self, step: Step) -> bool:
        """Whether every tool has its runs already."""
        parts = {case.name: self._results.get(step.hosts, case.name) for case in step.cases}
        return all(
            tool.name in parts[case.name] and len(parts[case.name][tool.name].wall) >= self._runs
            for case, tool in self._entries(step.cases)
        )

    def measure(self, step: Step) -> None:
        """Run all tools in all cases of a step, in turns, and note what that took."""
        title = f"{step.hosts} hosts: {', '.join(case.title.lower() for case in step.cases)}"
        started = time.monotonic()
        _say(title)
        self._make(step.hosts)
        entries = self._entries(step.cases)
        if step.cases[0].is_plan:
            self._prove_sight()
        parts = {case.name: dict[str, Part]() for case in step.cases}
        for case, tool in entries:  # a warm-up, too
            parts[case.name][tool.name] = Part(memory=self._run(tool, case, watch=True).memory)
        for turn in range(self._runs):
            first = turn % len(entries)  # whoever always follows the same one may suffer from it
            for case, tool in entries[first:] + entries[:first]:
                sample = self._run(tool, case)
                parts[case.name][tool.name].add(sample, self._others(case, sample))
        if step.cases[0].is_plan:
            self._profile(step.hosts)
        for name, found in parts.items():
            self._results.put(step.hosts, name, found)
        _say(f"{title}: {time.monotonic() - started:.0f} s")

    def _entries(self, cases: Sequence[Case]) -> list[tuple[Case, Tool]]:
        """Who takes part. With several cases, each tool runs in all of them before the next one."""
        pairs = ((case, tool) for tool, case in product(self._tools, cases))
        return [(case, tool) for case, tool in pairs if _takes_part(tool, case)]

    def _make(self, hosts: int) -> None:
        """See to it that there are so many hosts, in the first state."""
        if len(self._machines) == hosts:
            return self._to_base()
        self._fleet.resize(hosts)
        self._machines = _machines(self._fleet)
        self._wipe()
        return self._to_base()

    def _profile(self, hosts: int) -> None:
        """Note what paisctl says of where the time of a plan goes; none of the timed runs."""
        plan = Paisctl(self._fleet).plan("base")
        timed = replace(plan, words=[plan.words[0], "--timings", *plan.words[1:]])
        profiles = [stages.parse(self._command(timed).output) for _ in range(self._runs)]
        self._results.put_alone(stages.name_of(hosts), stages.medians(profiles))

    def _prove_sight(self) -> None:
        """A plan that would not see a changed file is not worth its time."""
        for tool in self._tools:
            if isinstance(tool, (BareSsh, WaitingShell)):
                continue
            said = self._command(tool.plan("changed-file")).output
            if tool.saw_nothing(said):
                raise WorkNotDone(f"{tool.name} does not see a changed file:\n{said}")

    def _run(self, tool: Tool, case: Case, *, watch: bool = False) -> Sample:
        """One run from the state that the case begins with."""
        if case.is_first:
            self._wipe()
        elif case.variant != "base":
            self._to_base()
        before = self._seen
        command = tool.plan(case.variant) if case.is_plan else tool.apply(case.variant)
        with self._uneven() if case.is_uneven else nullcontext():
            sample = self._command(command, watch=watch)
        self._look()
        wrong = problems(case, before, self._seen)
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
        name = self._fleet.hosts[-1].container
        local_engine().container.update(name, cpus=_SLOW)
        try:
            yield
        finally:
            local_engine().container.update(name, cpus=os.cpu_count())

    def _others(self, case: Case, sample: Sample) -> float | None:
        """Seconds until all hosts but the last had their new container, by their engines."""
        if case.variant != "changed-tag" or len(self._machines) < 2:
            return None
        return max(each.started(WEB) for each in self._machines[:-1]) - sample.began

    def _to_base(self) -> None:
        """Paisctl brings every host to the first state, whoever has changed it."""
        sample = self._command(Paisctl(self._fleet).apply("base"))
        self._look()
        wrong = problems(NOOP_APPLY, self._seen, self._seen)
        if sample.status or wrong:
            raise WorkNotDone("\n".join(["back to the first state:", *wrong, sample.output]))

    def _command(self, command: Command, *, watch: bool = False) -> Sample:
        return run(command.words, command.environment, self._machines, watch=watch)

    def _look(self) -> None:
        time.sleep(_SETTLE)
        self._seen = look(self._machines)

    def _wipe(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(Machine.wipe, self._machines))
        time.sleep(_SETTLE)


def _takes_part(tool: Tool, case: Case) -> bool:
    """The floor is measured once; waiting makes a difference only where something was started."""
    if isinstance(tool, BareSsh):
        return case.is_plan
    return not isinstance(tool, WaitingShell) or (case.starts_containers and not case.is_uneven)


def _machines(fleet: Fleet) -> list[Machine]:
    """The hosts as this machine sees them, all equally quick: a run may have ended too early."""
    engine, names = local_engine(), [host.container for host in fleet.hosts]
    containers = {each.name: each for each in engine.container.inspect(names)}
    slow = [name for name, each in containers.items() if each.host_config.nano_cpus]
    if slow:
        engine.container.update(slow, cpus=os.cpu_count())
    return [
        Machine(host.device, host.address, containers[host.container].state.pid or 0)
        for host in fleet.hosts
    ]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - what goes on, in a run of hours
