"""Progress on stderr: a live table on a terminal, one plain line per event elsewhere."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from paisctl.events import (
    BatchBegins,
    Event,
    GoingBack,
    HostEnded,
    Listener,
    LockAwaited,
    Outcome,
    Probed,
    Probing,
    StackEnded,
    StackWaiting,
    StepStarted,
    Stopping,
)
from paisctl.plan import Plan
from paisctl.views.console import duration, plural, visible

_SIGNS = {
    Outcome.APPLIED: ("✓", "green"),
    Outcome.FAILED: ("✗", "red"),
    Outcome.SKIPPED: ("-", "yellow"),
    Outcome.ROLLED_BACK: ("✗", "red"),
    Outcome.STRANDED: ("✗", "red"),
}
_SPINNER = Spinner("dots")
_STOPPING = "stopping: each host ends the stack it is in; Ctrl-C again to leave it to them"


@contextmanager
def watch_probes() -> Iterator[Listener]:
    """Show which hosts are still being read, and how long it took in the end."""
    view = _Probes()
    started = time.monotonic()
    if not sys.stderr.isatty():
        yield view.listen
    else:
        with Live(get_renderable=view.show, console=Console(stderr=True), transient=True):
            yield view.listen
    seconds = time.monotonic() - started
    print(f"read {plural(view.read, 'host')} in {seconds:.1f} s", file=sys.stderr)  # noqa: T201


class _Probes:
    def __init__(self) -> None:
        self.waiting: dict[str, float] = {}
        self.read = 0
        self.spinner = Spinner("dots")  # one for all frames, or it would stand still

    def listen(self, event: Event) -> None:
        if isinstance(event, Probing):
            self.waiting[event.device] = time.monotonic()
        elif isinstance(event, Probed):
            self.waiting.pop(event.device, None)
            self.read += not event.problem

    def show(self) -> RenderableType:
        names = ", ".join(self.waiting)
        self.spinner.update(text=f"reading {names}")
        return self.spinner


@contextmanager
def watch_apply(plan: Plan) -> Iterator[Listener]:
    """Show each stack of a plan as it is applied."""
    if not sys.stderr.isatty():
        yield _print_line
        return
    console = Console(stderr=True)
    view = _Stacks(plan, console)
    with Live(get_renderable=view.show, console=console, refresh_per_second=8):
        yield view.listen


def _print_line(event: Event) -> None:
    line = _line(event)
    if line:
        print(visible(line), file=sys.stderr, flush=True)  # noqa: T201


def _line(event: Event) -> str:  # noqa: PLR0911 # a line per kind
    match event:
        case LockAwaited():
            return f"{event.device}: waits for {event.holder} to end"
        case BatchBegins():
            return _batch(event, event.pause)
        case GoingBack():
            return f"{event.device}: {event.stack} failed, back to generation {event.generation}"
        case Stopping():
            return _STOPPING
        case StackWaiting():
            return f"{event.device}/{event.stack}: waits for {', '.join(event.needs)}"
        case StepStarted():
            detail = f": {event.detail}" if event.detail else ""
            return f"{event.device}/{event.stack}: {event.step}{detail}"
        case StackEnded():
            message = f": {event.message}" if event.message else ""
            return f"{event.device}/{event.stack}: {event.outcome}{message}"
        case HostEnded() if event.problem:
            return f"{event.device}: {event.problem}"
    return ""


def _batch(event: BatchBegins, pause: float) -> str:
    """Which batch has its turn, and how many seconds of rest are left before it."""
    rest = f" in {duration(math.ceil(pause))}" if pause > 0 else ""
    return f"batch {event.number} of {event.count}{rest}: {', '.join(event.devices)}"


# By device and stack: what was heard of it last, and when that began or, at its end, ended.
_Rows = dict[tuple[str, str], tuple[Event | None, float]]


class _Stacks:
    """One row per stack: sign, address, what it does now, for how long."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self.console = console
        self.lock = threading.Lock()
        rows = [(host.device, stack.name) for host in plan.changing for stack in host.stacks]
        self.rows: _Rows
        self.rows = dict.fromkeys(rows, (None, 0.0))
        self.started: dict[tuple[str, str], float] = {}
        self.awaited: dict[str, str] = {}  # who has the lock of a device
        self.batch: tuple[BatchBegins, float] | None = None  # since when it has its turn
        self.notice = ""

    def listen(self, event: Event) -> None:
        if isinstance(event, Stopping):
            self.notice = _STOPPING
        elif isinstance(event, BatchBegins):
            self.batch = event, time.monotonic()
        elif isinstance(event, LockAwaited):
            self.awaited[event.device] = event.holder
        elif isinstance(event, StackWaiting | StepStarted | StackEnded):
            key, now = (event.device, event.stack), time.monotonic()
            with self.lock:
                began = self.started.setdefault(key, now)
                self.rows[key] = (event, now if isinstance(event, StackEnded) else began)

    def show(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column()  # the one that gives way
        table.add_column(justify="right", no_wrap=True)
        around = [*self._heading(), *([Text(self.notice, "bold")] if self.notice else [])]
        taken = sum(len(each.wrap(self.console, self.console.width)) for each in around)
        with self.lock:
            rows, left_out = _fit(dict(self.rows), self.console.height - taken)
        for (device, stack), (event, since) in rows.items():
            began = self.started.get((device, stack), since)
            until = since if isinstance(event, StackEnded) else time.monotonic()
            elapsed = f"{until - began:.0f} s" if event else ""
            awaited = self.awaited.get(device)
            doing = f"waits for {awaited} to end" if awaited and not event else _doing(event)
            said = Text(visible(doing), no_wrap=True, overflow="ellipsis")
            table.add_row(_sign(event), Text(f"{device}/{stack}"), said, elapsed)
        return Group(*around, table, *([Text(left_out, "dim")] if left_out else []))

    def _heading(self) -> Iterator[Text]:
        """The batch that has its turn."""
        if self.batch:
            event, since = self.batch
            yield Text(_batch(event, event.pause - (time.monotonic() - since)), "bold")


def _fit(rows: _Rows, room: int) -> tuple[_Rows, str]:
    """Leave out what a small window has no room for: first what is applied, then what is queued.

    Returns:
        The rows that stay, and how many do not; nothing where all of them do.
    """
    applied = [key for key, (event, _) in rows.items() if _is_applied(event)]
    queued = [key for key, (event, _) in rows.items() if event is None]
    if len(rows) <= room or not (applied or queued):
        return rows, ""
    surplus = len(rows) - room + 1  # what is said of them takes a row, too
    out = [*applied, *reversed(queued)][:surplus]
    done = sum(key in applied for key in out)
    counts = ((done, "applied"), (len(out) - done, "queued"))
    said = ", ".join(f"{number} {what}" for number, what in counts if number)
    return {key: row for key, row in rows.items() if key not in out}, f"… and {said}"


def _is_applied(event: Event | None) -> bool:
    return isinstance(event, StackEnded) and event.outcome is Outcome.APPLIED


def _sign(event: Event | None) -> RenderableType:
    if isinstance(event, StackEnded):
        return Text(*_SIGNS[event.outcome])
    return _SPINNER if isinstance(event, StepStarted) else Text("·")


def _doing(event: Event | None) -> str:
    match event:
        case StackWaiting():
            return f"waits for {', '.join(event.needs)}"
        case StepStarted():
            return f"{event.step}: {event.detail}" if event.detail else event.step
        case StackEnded():
            return event.message or str(event.outcome)
    return "queued"
