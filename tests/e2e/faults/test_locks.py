"""Two people at once, and locks that nobody holds any more."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.e2e.faults.harness.canary import look, new_version
from tests.e2e.faults.harness.controller import Controller
from tests.e2e.faults.harness.host import Host
from tests.e2e.faults.harness.trial import check_order, check_recovery
from tests.e2e.scenario import apply


def lock(process: int, heartbeat: int) -> str:
    found = {"run": "20200101T000000Z-aaaaaa", "who": "ann", "machine": "laptop"}
    found |= {"command": "apply", "process": process, "started": 1, "heartbeat": heartbeat}  # type: ignore[dict-item]
    return json.dumps(found)


NOW = int(time.time())
LEFT = {
    "torn": '{"run": "2020',
    "of a process that is no more": lock(4_000_000, NOW),
    "of another process by now": lock(1, NOW),
}


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT)
def test_a_lock_that_was_left_behind_is_nobodys(box: Host, tmp_path: Path, text: str) -> None:
    wanted = new_version(tmp_path)
    box.write("lock", text)
    apply(box.lab, "box", overlay=wanted.overlay)
    check_order(box, wanted)


def test_a_delivery_that_was_left_behind_is_removed(box: Host, tmp_path: Path) -> None:
    """Although the number of its process is another's by now, as after a restart of the host."""
    left = f"{box.root}/staging/20200101T000000Z-aaaaaa"
    box.sh(f"mkdir -p {left}; echo 1 >{left}/process; chown -R paisctl {box.root}/staging")
    wanted = new_version(tmp_path)
    apply(box.lab, "box", overlay=wanted.overlay)
    check_order(box, wanted)


def test_of_two_controllers_at_once_one_goes(box: Host, tmp_path: Path) -> None:
    before = look(box)
    one, other = new_version(tmp_path), new_version(tmp_path)
    with (
        Controller(box.lab, "apply", "--yes", "box", overlay=one.overlay) as first,
        Controller(box.lab, "apply", "--yes", "box", overlay=other.overlay) as second,
    ):
        ends = {one.word: first.end(), other.word: second.end()}
    assert sorted(ends.values()) == [0, 1]
    winner = min(ends, key=lambda word: ends[word])
    assert look(box).word == winner
    loser = second if winner == one.word else first
    assert "it is being changed by " in loser.said or "was changed since the plan" in loser.said
    assert "nothing was changed" in loser.said
    assert "next: " in loser.said
    check_recovery(box, before, new_version(tmp_path), ends)


def test_of_two_controllers_the_later_says_who_was_there(box: Host, tmp_path: Path) -> None:
    before = look(box)
    one, other = new_version(tmp_path), new_version(tmp_path)
    with Controller(box.lab, "apply", "--yes", "box", overlay=one.overlay) as first:
        assert first.wait_for("box/canary: recreate"), first.said
        refused = box.lab.paisctl("apply", "--yes", "box", overlay=other.overlay)
        assert first.end() == 0
    assert refused.returncode == 1
    assert "it is being changed by root@" in refused.stdout
    assert "--wait" in refused.stdout
    left = check_recovery(box, before, other, [one.word])
    assert left.word == one.word
