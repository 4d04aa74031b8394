from __future__ import annotations

import io

import pytest
from rich.console import Console

from paisctl.backup.events import BackupEvent, Copied, Copying, Missed, Verified
from paisctl.events import Noted
from paisctl.views.backup_progress import _Progress, watch_backup

EVENTS: tuple[BackupEvent, ...] = (
    Copied("k6", "notes.snapshot", 3 << 20),
    Missed("m7-1", "it does not answer"),
    Verified("k6/notes.snapshot", ""),
    Verified("k6/cluster.json", "k6/cluster.json is damaged"),
    Noted("off-site: b2:bucket"),
)


def test_without_a_terminal_each_file_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with watch_backup() as watcher:
        watcher(Copying("k6", "notes.snapshot", 1 << 20, 3 << 20))
        for event in EVENTS:
            watcher(event)
    assert capsys.readouterr().err.splitlines() == [
        "✓ k6: notes.snapshot, 3 MiB",
        "✗ m7-1: it does not answer",
        "✓ k6/notes.snapshot",
        "✗ k6/cluster.json is damaged",
        "off-site: b2:bucket",
    ]


def test_a_terminal_shows_what_is_on_its_way() -> None:
    view = _Progress()
    for event in (*EVENTS, Copying("m7-2", "notes\x1b.snapshot", 1 << 20, 4 << 20)):
        view.watch(event)
    shown = io.StringIO()
    Console(file=shown, width=80).print(view.show())
    *_, last = shown.getvalue().splitlines()
    assert last.rstrip().endswith("m7-2: notes␛.snapshot 1 MiB of 4 MiB")
    assert "✗ m7-1: it does not answer" in shown.getvalue()
