"""What a next command makes of a change that was killed: a process really is, at each point."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from paisctl.errors import ControlUnreachable, PaisctlError
from paisctl.tailnet.outcome import Outcome, SwitchInterrupted
from paisctl.tailnet.record import State
from tests.unit.tailnet.fakes import BAD, HAND, NEW, OLD, Bench, once

ROOT = Path(__file__).parents[3]


def crashed(folder: Path, point: str) -> Bench:
    command = [sys.executable, "-m", "tests.unit.tailnet.crash", str(folder), point]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return Bench(folder)


# The policy in force after the crash, and what the record says of it.
LEFT = {
    "before the set": (OLD, State.SETTING),
    "set, not answered": (NEW, State.SETTING),
    "set, answer not kept": (NEW, State.SETTING),
    "while watching": (NEW, State.SET),
    "while going back, before the set": (BAD, State.GOING_BACK),
    "while going back, after the set": (OLD, State.GOING_BACK),
}
FINISHED = {
    "before the set": (Outcome.NOT_SET, OLD),
    "set, not answered": (Outcome.KEPT, NEW),
    "set, answer not kept": (Outcome.KEPT, NEW),
    "while watching": (Outcome.KEPT, NEW),
    "while going back, before the set": (Outcome.WENT_BACK, OLD),
    "while going back, after the set": (Outcome.WENT_BACK, OLD),
}


@pytest.mark.parametrize("point", FINISHED)
def test_finishing_keeps_the_new_policy_only_if_every_host_is_reached(
    tmp_path: Path, point: str
) -> None:
    bench = crashed(tmp_path, point)
    left, state = LEFT[point]
    started = bench.record.read()
    assert started is not None
    assert (bench.live(), started.state, started.before) == (left, state, OLD)
    outcome, live = FINISHED[point]
    result = bench.switch().finish()
    assert (result.outcome, bench.live()) == (outcome, live)
    assert result.is_old_proven == (live == OLD)
    assert bench.record.read() is None
    assert list(bench.record.folder.iterdir()) == []


@pytest.mark.parametrize("point", FINISHED)
def test_going_back_proves_that_the_old_policy_is_in_force(tmp_path: Path, point: str) -> None:
    bench = crashed(tmp_path, point)
    result = bench.switch().go_back()
    expected = Outcome.NOT_SET if point == "before the set" else Outcome.WENT_BACK
    assert (result.outcome, bench.live()) == (expected, OLD)
    assert result.is_old_proven
    assert bench.record.read() is None
    assert list(bench.record.folder.iterdir()) == []


@pytest.mark.parametrize("point", ["before the record is whole", "while forgetting"])
def test_there_is_nothing_to_end_before_the_record_is_whole_nor_once_it_is_removed(
    tmp_path: Path, point: str
) -> None:
    bench = crashed(tmp_path, point)
    assert bench.record.read() is None
    assert bench.live() == (OLD if "whole" in point else NEW)
    assert (bench.record.folder / "policy-before.hujson").exists()
    for end in (bench.switch().finish, bench.switch().go_back):
        with pytest.raises(PaisctlError, match="no change"):
            end()
    # What is left lying about is in nobody's way.
    result = bench.switch().change_policy(HAND, bench.control.policy(), ("k6", "nas"))
    assert result.outcome is Outcome.KEPT


def test_finishing_goes_back_when_a_host_is_gone(tmp_path: Path) -> None:
    bench = crashed(tmp_path, "while watching")
    reach = bench.reach
    bench.reach = lambda host: "gone" if host == "k6" and bench.live() == NEW else reach(host)  # type: ignore[method-assign]
    result = bench.switch().finish()
    assert result.outcome is Outcome.WENT_BACK
    assert [sighting.host for sighting in result.gone] == ["k6"]
    assert bench.live() == OLD


def test_finishing_can_be_interrupted(tmp_path: Path) -> None:
    bench = crashed(tmp_path, "while watching")
    switch = bench.switch()

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    object.__setattr__(switch, "listener", interrupt)
    with pytest.raises(KeyboardInterrupt):
        switch.finish()
    assert bench.record.read() is not None or bench.live() == OLD


def test_an_edit_after_the_crash_is_left_alone_and_the_hosts_are_looked_at(tmp_path: Path) -> None:
    bench = crashed(tmp_path, "while watching")
    bench.file.write_text(HAND)
    bench.down = {"k6"}
    result = bench.switch().finish()
    assert result.outcome is Outcome.OVERTAKEN
    assert [sighting.host for sighting in result.gone] == ["k6"]
    assert result.is_record_kept
    assert bench.switch().go_back().outcome is Outcome.OVERTAKEN
    assert bench.live() == HAND
    bench.down = set()
    assert bench.switch().finish().outcome is Outcome.OVERTAKEN
    assert bench.record.read() is None


def test_finishing_does_nothing_while_the_policy_cannot_be_read(tmp_path: Path) -> None:
    bench = crashed(tmp_path, "while watching")
    bench.control.before_read = once(ControlUnreachable("nobody there"))
    with pytest.raises(ControlUnreachable):
        bench.switch().finish()
    assert bench.record.read() is not None
    assert bench.live() == NEW


def test_a_change_is_ended_at_the_control_plane_where_it_was_begun(tmp_path: Path) -> None:
    bench = crashed(tmp_path, "while watching")
    bench.control.name = "Headscale"
    with pytest.raises(PaisctlError, match="Tailscale"):
        bench.switch().go_back()


def test_the_interrupted_result_tells_what_is_in_force(tmp_path: Path) -> None:
    bench = crashed(tmp_path, "while watching")

    def impatient(_: str) -> None:
        raise KeyboardInterrupt

    bench.control.before_set = impatient
    with pytest.raises(SwitchInterrupted) as raised:
        bench.switch().go_back()
    assert raised.value.result.outcome is Outcome.NOT_BACK
    assert bench.record.read() is not None
