from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from paisctl import plan_file
from paisctl.errors import CannotEdit
from paisctl.inventory.editing import writing
from paisctl.private_file import write_private
from paisctl.secrets import init_secrets
from paisctl.tailnet.record import Record

Write = Callable[[Path], object]


def secrets(folder: Path) -> None:
    init_secrets(folder / "secrets.yaml", {"mine": 32})


def plan(folder: Path) -> None:
    plan_file.write(None, folder / "plan.json")  # type: ignore[arg-type]


def record(folder: Path) -> None:
    Record(folder).begin("Tailscale", "{}", "etag", "fingerprint", ())


WRITERS = pytest.mark.parametrize("write", [secrets, plan, record])


@pytest.fixture(autouse=True)
def any_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_file, "as_text", lambda _: "{}\n")


def synced(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether a folder was synced, for each sync."""
    seen: list[bool] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        seen.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", note)
    return seen


@WRITERS
def test_content_and_name_are_on_disk(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = synced(monkeypatch)
    write(tmp_path)
    assert seen
    assert seen == [False, True] * (len(seen) // 2)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())


@WRITERS
def test_an_attempt_that_fails_leaves_no_copy_behind(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old, and longer")
    path.chmod(0o644)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_an_edited_file_is_on_disk_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pais.yaml"
    path.write_text("a: 1\n")
    seen = synced(monkeypatch)
    writing.write(path, "a: 1\n", "a: 2\n")
    assert seen == [False, True]
    with pytest.raises(CannotEdit):
        writing.write(path, "a: 1\n", "a: 3\n")
    assert list(tmp_path.iterdir()) == [path]
