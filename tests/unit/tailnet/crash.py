"""Begins a change of the policy and dies of SIGKILL at a given point; run as a program."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from unittest.mock import patch

from paisctl.private_file import write_private
from paisctl.tailnet.outcome import Progress, Stage
from paisctl.tailnet.record import Record
from tests.unit.tailnet.fakes import BAD, NEW, OLD, Bench


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(bench: Bench, point: str) -> str:
    """Have the process die at a point; returns the policy to set."""
    control, record = bench.control, bench.record
    if point == "before the record is whole":
        patch(
            "paisctl.tailnet.record.write_private",
            lambda path, content: (
                die() if path.name == "change.json" else write_private(path, content)
            ),
        ).start()
    elif point == "before the set":
        control.before_set = die
    elif point == "set, not answered":
        control.after_set = die
    elif point == "set, answer not kept":
        record.advance = die  # type: ignore[method-assign, assignment]
    elif point == "while going back, before the set":
        control.before_set = lambda text: die() if text == OLD else None
    elif point == "while going back, after the set":
        control.after_set = lambda text: die() if text == OLD else None
    elif point == "while forgetting":
        record.remove = lambda: forget(record)  # type: ignore[method-assign]
    elif point != "while watching":
        raise ValueError(point)
    return BAD if "going back" in point else NEW


def forget(record: Record) -> None:
    """Remove a record, and die in between."""
    patch("paisctl.tailnet.record.sync_folder", die).start()
    Record.remove(record)


def main(folder: Path, point: str) -> None:
    bench = Bench(folder)
    text = arm(bench, point)
    switch = bench.switch()

    def listen(progress: Progress) -> None:
        if point == "while watching" and progress.stage is Stage.WATCHING:
            die()

    object.__setattr__(switch, "listener", listen)
    switch.change_policy(text, bench.control.policy(), ("k6", "nas"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
