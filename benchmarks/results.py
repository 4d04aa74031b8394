"""What was measured, in a file: a run of hours is made in parts, and the page is written from it."""

from __future__ import annotations

import json
from collections.abc import Iterable
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

    run: str
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


class Results:
    """The file. Every part is written as soon as it is there.

    Args:
        path: the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._data: dict[str, Any] = {"about": {}, "alone": {}, "parts": {}}
        if path.exists():
            self._data = json.loads(path.read_text("utf-8"))

    @property
    def about(self) -> dict[str, str]:
        """The machine and the versions of the tools."""
        return dict(self._data["about"])

    def describe(self, about: dict[str, str]) -> None:
        self._data["about"] = about
        self._write()

    @property
    def alone(self) -> list[str]:
        """The lines of the page about paisctl alone."""
        return [line for lines in self._data["alone"].values() for line in lines]

    def put_alone(self, name: str, lines: Iterable[str]) -> None:
        self._data["alone"][name] = list(lines)
        self._write()

    def put(self, hosts: int, case: str, tool: str, part: Part) -> None:
        self._data["parts"].setdefault(f"{hosts} {case}", {})[tool] = asdict(part)
        self._write()

    def get(self, hosts: int, case: str) -> dict[str, Part]:
        """The parts of a case, by tool."""
        return {
            name: Part(**part)
            for name, part in self._data["parts"].get(f"{hosts} {case}", {}).items()
        }

    def sizes(self) -> list[int]:
        """The numbers of hosts that something was measured on."""
        return sorted({int(key.split()[0]) for key in self._data["parts"]})

    def _write(self) -> None:
        about = json.dumps(self._data["about"], indent=1)
        parts = ",\n".join(
            f"{json.dumps(key)}: {_lines(tools)}" for key, tools in self._data["parts"].items()
        )
        alone = json.dumps(self._data["alone"], indent=1, ensure_ascii=False)
        text = f'{{"about": {about},\n"alone": {alone},\n"parts": {{\n{parts}\n}}}}\n'
        self._path.write_text(text, "utf-8")


def _lines(tools: dict[str, Any]) -> str:
    """A line for each tool, so that a difference between two versions of the file can be read."""
    each = (f" {json.dumps(name)}: {json.dumps(part)}" for name, part in tools.items())
    return "{\n" + ",\n".join(each) + "}"
