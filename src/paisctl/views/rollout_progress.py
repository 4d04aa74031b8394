"""A rollout under way, on stderr: a table of members and gates on a terminal, else a line per event."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from paisctl.events import Noted
from paisctl.rollout.events import Asked, Doing, Entered, RolloutEvent, Watcher
from paisctl.rollout.record import Phase
from paisctl.views.console import visible

_DRAIN, _CHANGE, _USE = "drain", "change", "in use"
_DONE, _NOW, _LATER = Text("✓", "green"), Text("…", "yellow"), Text("·", "dim")


@contextmanager
def watch_rollout(devices: Sequence[str], gates: Sequence[str]) -> Iterator[Watcher]:
    """Show how far each member is.

    Args:
        devices: the members.
        gates: the names of the gates, in their order.
    """
    if not sys.stderr.isatty():
        yield _Lines().watch
        return
    view = _Table(devices, gates)
    with Live(get_renderable=view.show, console=Console(stderr=True), refresh_per_second=8):
        yield view.watch


class _Lines:
    """One line per event; a gate that says the same again says nothing."""

    def __init__(self) -> None:
        self.last = ""

    def watch(self, event: RolloutEvent) -> None:
        line = visible(_line(event))
        if line and line != self.last:
            print(line, file=sys.stderr, flush=True)  # noqa: T201
        self.last = line or self.last


def _line(event: RolloutEvent) -> str:  # a line per kind
    match event:
        case Noted():
            return f"{event.device}: {event.text}" if event.device else event.text
        case Entered():
            return f"{event.device}: {event.phase}"
        case Doing():
            return f"{event.device}: {event.what}"
        case Asked() if event.is_through:
            return f"{event.device}: gate {event.gate} passed{_and(event.answer.said)}"
        case Asked() if event.answer.passed:
            return (
                f"{event.device}: gate {event.gate} is passed, and has to stay so {event.hold:g} s"
            )
    return f"{event.device}: gate {event.gate} waits{_and(event.answer.said)}"


def _and(text: str) -> str:
    return f": {text}" if text else ""


class _Table:
    """A row per member, a column per step; below, what is being done and how long it takes."""

    def __init__(self, devices: Sequence[str], gates: Sequence[str]) -> None:
        self.columns = [_DRAIN, _CHANGE, *gates, _USE]
        self.done: dict[str, set[str]] = {device: set() for device in devices}
        self.now: tuple[str, str] = ("", "")
        self.doing = ""
        self.since = time.monotonic()
        self.notes: list[str] = []
        self.lock = threading.Lock()

    def watch(self, event: RolloutEvent) -> None:
        with self.lock:
            match event:
                case Noted():
                    self.notes = [*self.notes, _line(event)][-5:]
                case Entered():
                    self._enter(event)
                case Doing():
                    self._do(f"{event.device}: {event.what}")
                case Asked():
                    self.now = (event.device, event.gate)
                    self._do(_waiting(event))
                    if event.is_through:
                        self.done[event.device].add(event.gate)

    def _enter(self, event: Entered) -> None:
        done = self.done[event.device]
        match event.phase:
            case Phase.DRAINING:
                self.now = (event.device, _DRAIN)
            case Phase.CHANGING:
                done.add(_DRAIN)
                self.now = (event.device, _CHANGE)
            case Phase.CHECKING:
                done.update({_DRAIN, _CHANGE})
            case Phase.DONE:
                done.update(self.columns)
                self.now = ("", "")
        self._do("")

    def _do(self, what: str) -> None:
        if what.partition(":")[0] != self.doing.partition(":")[0]:
            self.since = time.monotonic()
        self.doing = what

    def show(self) -> RenderableType:
        with self.lock:
            grid = Table.grid(padding=(0, 1))
            grid.add_row(Text("member", "bold"), *(Text(name, "bold") for name in self.columns))
            for device, done in self.done.items():
                cells = (self._cell(device, column, done) for column in self.columns)
                grid.add_row(Text(device), *cells)
            seconds = f" ({time.monotonic() - self.since:.0f} s)" if self.doing else ""
            lines = [Text(visible(note), "dim") for note in self.notes]
            lines.append(Text(visible(self.doing) + seconds, overflow="ellipsis", no_wrap=True))
            return Group(grid, *lines)

    def _cell(self, device: str, column: str, done: set[str]) -> Text:
        if column in done:
            return _DONE
        return _NOW if (device, column) == self.now else _LATER


def _waiting(event: Asked) -> str:
    said = event.answer.said or ("passed" if event.answer.passed else "no answer")
    if event.answer.passed and event.hold:
        return f"{event.device} {event.gate}: {said}, holds {event.held:.0f} of {event.hold:g} s"
    return f"{event.device} {event.gate}: {said}, {event.waited:.0f} of {event.timeout:g} s"
