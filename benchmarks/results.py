"""What was measured, in a file: a run of hours is made in parts, and the page is written from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import Sample


@dataclass
class Part:
    """The runs of one tool in one case on so many hosts.

    Seconds; bytes; per host bytes and executions. `run` is when the whole run began: what has the
    same was measured in turns. `others` is when all hosts but the last had their new container; only
    where containers are replaced.
    """

    run: str = ""
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    traffic: list[float] = field(default_factory=list)
    executions: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    memory: int = 0

    def add(self, sample: Sample, others: float | None) -> None:
        if others is not None:
            self.others.append(round(others, 3))
        self.wall.append(round(sample.wall, 3))
        self.cpu.append(round(sample.cpu, 3))
        self.traffic.append(round(sample.traffic))
        self.executions.append(round(sample.executions, 2))

    @property
    def seconds(self) -> float:
        """The median wall time."""
        return median(self.wall)


@dataclass(frozen=True, slots=True)
class Alone:
    """Figures of paisctl alone, by what they are of: what they mean is up to who measured them."""

    run: str
    figures: dict[str, list[float]]


class Results:
    """The file. What is put is written at once; all that others have measured stays.

    Args:
        path: the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._run, self._about = "", dict[str, str]()
        self._runs: dict[str, dict[str, str]] = {}
        self._alone: dict[str, Alone] = {}
        self._parts: dict[str, dict[str, Part]] = {}
        if path.exists():
            data = json.loads(path.read_text("utf-8"))
            self._runs = data["runs"]
            self._alone = {name: Alone(**found) for name, found in data["alone"].items()}
            self._parts = {key: _parts(tools) for key, tools in data["parts"].items()}

    def begin(self, run: str, about: dict[str, str]) -> None:
        """Say of what is put from now on when its run began, and with what it is measured."""
        self._run, self._about = run, about

    @property
    def runs(self) -> dict[str, dict[str, str]]:
        """With what was measured, by run, oldest first; runs that have figures only."""
        return {run: self._runs[run] for run in sorted(self._used())}

    def alone(self, name: str) -> Alone | None:
        return self._alone.get(name)

    def put_alone(self, name: str, figures: dict[str, list[float]]) -> None:
        rounded = {of: [round(figure, 4) for figure in all_] for of, all_ in figures.items()}
        self._alone[name] = Alone(self._run, rounded)
        self._write()

    def get(self, hosts: int, case: str) -> dict[str, Part]:
        """The parts of a case, by tool."""
        return self._parts.get(_key(hosts, case), {})

    def put(self, hosts: int, case: str, parts: dict[str, Part]) -> None:
        """Note a case; tools that are not among the parts keep what they have."""
        for part in parts.values():
            part.run = self._run
        self._parts[_key(hosts, case)] = self.get(hosts, case) | parts
        self._write()

    def sizes(self) -> list[int]:
        """The numbers of hosts that something was measured on."""
        return sorted({int(key.split()[0]) for key in self._parts})

    def _used(self) -> set[str]:
        parts = {part.run for tools in self._parts.values() for part in tools.values()}
        return parts | {alone.run for alone in self._alone.values()}

    def _write(self) -> None:
        """A line for each tool, so that a difference between two versions of the file can be read."""
        self._runs[self._run] = self._about
        alone = {name: asdict(found) for name, found in self._alone.items()}
        parts = ",\n".join(
            f"{json.dumps(key)}: {_lines({name: asdict(part) for name, part in tools.items()})}"
            for key, tools in self._parts.items()
        )
        text = f'{{"runs": {_lines(self.runs)},\n"alone": {_lines(alone)},\n"parts": {{\n{parts}\n}}}}\n'
        new = self._path.with_suffix(".new")  # whoever ends the run now does not end half a file
        new.write_text(text, "utf-8")
        new.replace(self._path)


def _key(hosts: int, case: str) -> str:
    return f"{hosts} {case}"


def _parts(tools: dict[str, Any]) -> dict[str, Part]:
    return {name: Part(**part) for name, part in tools.items()}


def _lines(things: dict[str, Any]) -> str:
    each = (f" {json.dumps(name)}: {json.dumps(thing)}" for name, thing in things.items())
    return "{\n" + ",\n".join(each) + "}"
