"""A backup or a restore under way, on stderr: what is on its way on a terminal, else a line per file."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from paisctl.backup.events import BackupEvent, Copied, Copying, Missed, Verified, Watcher
from paisctl.events import Noted
from paisctl.inventory.types import format_size
from paisctl.views.console import visible

_SHOWN = 8  # of the last lines


@contextmanager
def watch_backup() -> Iterator[Watcher]:
    """Show what happens."""
    if not sys.stderr.isatty():
        yield _say
        return
    view = _Progress()
    with Live(get_renderable=view.show, console=Console(stderr=True), refresh_per_second=8):
        yield view.watch


def _say(event: BackupEvent) -> None:
    if line := visible(_line(event)):
        print(line, file=sys.stderr, flush=True)  # noqa: T201


def _line(event: BackupEvent) -> str:
    match event:
        case Noted():
            return f"{event.device}: {event.text}" if event.device else event.text
        case Copied():
            return f"✓ {event.device}: {event.path}, {format_size(event.size)}"
        case Missed():
            return f"✗ {event.device}: {event.why}"
        case Verified():
            return f"✗ {event.problem}" if event.problem else f"✓ {event.path}"
    return ""


class _Progress:
    """The last lines, and the file that is on its way."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now: Copying | None = None
        self.since = time.monotonic()
        self.lock = threading.Lock()
        self.spinner = Spinner("dots")

    def watch(self, event: BackupEvent) -> None:
        with self.lock:
            if isinstance(event, Copying):
                if self.now is None or (self.now.device, self.now.path) != (
                    event.device,
                    event.path,
                ):
                    self.since = time.monotonic()
                self.now = event
                return
            self.now = None
            self.lines = [*self.lines, _line(event)][-_SHOWN:]

    def show(self) -> RenderableType:
        with self.lock:
            lines = [
                Text(visible(line), "red" if line.startswith("✗") else "", no_wrap=True)
                for line in self.lines
            ]
            if self.now is None:
                return Group(*lines)
            self.spinner.update(text=Text(visible(self._doing(self.now)), no_wrap=True))
            return Group(*lines, self.spinner)

    def _doing(self, now: Copying) -> str:
        seconds = time.monotonic() - self.since
        of = f" of {format_size(now.size)}" if now.size else ""
        speed = f", {format_size(int(now.done / seconds))}/s" if now.done and seconds > 1 else ""
        return f"{now.device}: {now.path} {format_size(now.done)}{of}{speed}"
