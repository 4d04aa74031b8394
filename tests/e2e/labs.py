"""The labs of a test run: hosts take processor time as long as they are there, so one lab at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from paisctl import pipeline
from paisctl.lab.engine import local_engine
from paisctl.lab.lab import Lab
from tests.e2e.rehearsal import Rehearsal


class Labs:
    """Starts labs for tests. Tests of one lab run together, so no lab is wanted again.

    Args:
        folder: where labs keep their keys.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._current: Lab | None = None

    def up(self, name: str, inventories: Sequence[Path], devices: Sequence[str]) -> Rehearsal:
        """A lab with these devices, in place of the one before."""
        self.down()
        lab = Lab(local_engine(), f"test-{os.getpid()}-{name}", self._folder / name, print)
        self._current = lab
        lab.up(pipeline.desire(inventories), devices)
        return Rehearsal(lab, (*inventories, lab.overlay), tuple(devices))

    def down(self) -> None:
        """Remove the lab that is there, if there is one."""
        if self._current:
            self._current.down(images=False)
        self._current = None
