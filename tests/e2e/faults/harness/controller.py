"""paisctl as a process of its own, so that it can be killed, stopped and run beside another."""

from __future__ import annotations

import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.rehearsal import PAISCTL, Rehearsal

PATIENCE = 120.0


class Controller:
    """A running `paisctl`. `said` is all that it has printed, both outputs as they came."""

    def __init__(self, lab: Rehearsal, *arguments: str, overlay: Path | None = None) -> None:
        files = [*lab.inventories, *([overlay] if overlay else [])]
        options = [part for path in files for part in ("-i", str(path))]
        self._process = subprocess.Popen(
            [PAISCTL, *options, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def wait_for(self, text: str) -> bool:
        """Wait until a line with this text was printed; false when it ended without one."""
        return self._follow(lambda line: text in line)

    def end(self) -> int:
        """Wait for its end; returns its exit status."""
        self._follow(lambda _: False)
        return self._process.wait()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; with SIGKILL it has no chance to say goodbye."""
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()
            self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)

    def _follow(self, wanted: Callable[[str], bool]) -> bool:
        deadline = time.monotonic() + PATIENCE
        while (line := self._lines.get(timeout=max(0.1, deadline - time.monotonic()))) is not None:
            self.said += line
            if wanted(line):
                return True
        self._lines.put(None)
        return False
