"""Seeing who is changing a host, and taking the lock away from them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.faults.harness.controller import Controller
from tests.e2e.rehearsal import Rehearsal
from tests.e2e.scenario import apply, plan

ROOT = "/opt/paisctl"


@pytest.fixture
def box(fleet: Rehearsal) -> Iterator[Rehearsal]:
    apply(fleet, "box")
    yield fleet
    apply(fleet, "box")


def changed(folder: Path, word: str) -> Path:
    path = folder / "overlay.yaml"
    path.write_text(f"devices: {{box: {{stacks: {{canary: {{word: {word}, memory: 40m}}}}}}}}")
    return path


def audit(fleet: Rehearsal) -> list[dict[str, object]]:
    lines = fleet.root("box", "cat", f"{ROOT}/audit.log").splitlines()
    return [json.loads(line) for line in lines]


def test_no_lock(box: Rehearsal) -> None:
    completed = box.paisctl("unlock", "box")
    assert (completed.returncode, completed.stdout) == (0, "box is not locked\n")


def test_a_run_is_seen_and_stops_when_its_lock_is_taken_away(
    box: Rehearsal, tmp_path: Path
) -> None:
    overlay = changed(tmp_path, "interrupted")
    with Controller(box, "apply", "--yes", "box", overlay=overlay) as run:
        assert run.wait_for("box/canary: recreate canary"), run.said
        seen = json.loads(box.paisctl("plan", "--json", "box").stdout)["hosts"][0]["notes"]
        unlocked = box.paisctl("unlock", "--yes", "box")
        assert run.end() == 1
    assert any("it is being changed by root@" in note for note in seen), seen
    assert unlocked.returncode == 0, unlocked.stderr
    assert "box is locked by root@" in unlocked.stdout
    assert "Its process lives." in unlocked.stdout
    assert "unlocked box" in unlocked.stdout
    assert "the lock of this run was taken away" in run.said
    assert box.root("box", "sh", "-c", f"ls {ROOT}/lock {ROOT}/lock.* 2>/dev/null || true") == ""
    began, taken, ended = audit(box)[-3:]
    assert [began["event"], taken["event"], ended["event"]] == ["began", "unlocked", "ended"]
    assert began["run"] == taken["run"] == ended["run"]

    status = json.loads(box.paisctl("status", "--json", "box").stdout)
    assert status["hosts"][0]["locked_by"] is None
    assert status["hosts"][0]["unfinished"]["run"] == began["run"]
    assert plan(box, "box"), "what the run had begun is to be seen"
    apply(box, "box", overlay=overlay)
    assert plan(box, "box", overlay=overlay) == []
    status = json.loads(box.paisctl("status", "--json", "box").stdout)
    assert status["hosts"][0]["unfinished"] is None


def test_a_run_that_was_killed_on_the_host_broke_off(box: Rehearsal, tmp_path: Path) -> None:
    overlay = changed(tmp_path, "killed")
    with Controller(box, "apply", "--yes", "box", overlay=overlay) as run:
        assert run.wait_for("box/canary: recreate canary"), run.said
        box.root("box", "pkill", "-9", "-u", "paisctl", "-f", "run.sh")
        assert run.end() == 1
    status = box.paisctl("status", "box").stdout
    assert "! box  the last run broke off before it was done" in status
    assert "next: paisctl plan box" in status
    history = json.loads(box.paisctl("history", "box", "--all", "--json").stdout)
    assert history["runs"][0]["outcome"] == "broke off"
    left = box.paisctl("unlock", "--yes", "box")
    assert left.returncode == 0, left.stderr
    assert "Nobody is there any more" in left.stdout
    apply(box, "box", overlay=overlay)
    assert plan(box, "box", overlay=overlay) == []
