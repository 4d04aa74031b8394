"""What nobody may change for now, placed, heeded and released in three shells."""

from __future__ import annotations

import json
import time

import pytest

from paisctl.execution.conduct import Conduct
from paisctl.execution.holding import place, release
from paisctl.history import last_run
from paisctl.hold import Hold, hold_of, holds_of
from paisctl.operation import Pull
from paisctl.plan import StackPlan
from paisctl.probe import probe
from tests.unit.hostside.conftest import Host
from tests.unit.hostside.test_apply import ENTRY, WELL, Applied, apply, engine

REASON = 'it says "no" \\ and $HOME, ü; don\'t'


@pytest.fixture
def docker(host: Host) -> Host:
    host.program("docker", engine(WELL))
    return host


def held(host: Host, stack: str = "a", seconds: int = 3600, reason: str = REASON) -> Hold:
    now = int(time.time())
    hold = Hold(stack, now + seconds, reason, "ann", "laptop", now)
    place(host.target(), probe(host.target()), hold)
    return hold


def pulled(host: Host, *names: str, conduct: Conduct | None = None) -> Applied:
    """Apply stacks that only pull an image."""
    stacks = [StackPlan(name, operations=(Pull(f"{name}:1"),), entry=ENTRY) for name in names]
    return apply(host, *stacks, conduct=conduct or Conduct())


def test_what_was_placed_is_read_as_it_was_and_can_be_released(docker: Host) -> None:
    hold = held(docker)
    state = probe(docker.target())
    assert holds_of(state) == (hold,)
    assert release(docker.target(), state, hold)
    assert holds_of(probe(docker.target())) == ()
    assert not release(docker.target(), state, hold)  # somebody else did


def test_a_hold_in_place_of_another_changes_it(docker: Host) -> None:
    held(docker)
    later = held(docker, seconds=7200, reason="longer")
    assert holds_of(probe(docker.target())) == (later,)


def test_both_are_written_down_and_are_no_runs(docker: Host) -> None:
    assert pulled(docker, "b").result.problem == ""
    state, hold = probe(docker.target()), held(docker)
    release(docker.target(), state, hold)
    lines = (docker.root / "audit.log").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["event"] for entry in entries[-2:]] == ["held", "released"]
    assert entries[-2]["reason"] == REASON
    after = last_run(probe(docker.target()))
    assert after
    assert after.outcome == "applied"


def test_an_apply_that_was_planned_before_leaves_what_is_held_since(docker: Host) -> None:
    hold = held(docker, "a")
    applied = pulled(docker, "a", "b")
    assert applied.outcomes == {"a": "skipped", "b": "applied"}
    assert applied.result.stacks["a"].message == str(hold)
    assert docker.calls().count("pull --quiet a:1") == 0
    assert set(json.loads((docker.root / "manifest.json").read_text())["stacks"]) == {"b"}


def test_a_device_that_is_held_is_left_alone_as_a_whole(docker: Host) -> None:
    held(docker, "")
    assert pulled(docker, "a", "b").outcomes == {"a": "skipped", "b": "skipped"}


def test_a_hold_of_another_stack_is_none(docker: Host) -> None:
    held(docker, "ab")
    assert pulled(docker, "a", "b").outcomes == {"a": "applied", "b": "applied"}


def test_going_back_heeds_no_hold(docker: Host) -> None:
    held(docker)
    assert pulled(docker, "a", conduct=Conduct(heeds_holds=False)).outcomes == {"a": "applied"}


def test_a_hold_that_is_over_is_nothing_and_goes(docker: Host) -> None:
    held(docker, seconds=-1)
    assert holds_of(probe(docker.target())) == ()
    assert pulled(docker, "a").outcomes == {"a": "applied"}
    assert list((docker.root / "holds").iterdir()) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"until": "soon"}'])
def test_a_damaged_hold_holds_until_it_is_released(docker: Host, text: str) -> None:
    docker.write("holds/a.json", text + "\n")
    state = probe(docker.target())
    hold = hold_of(state, "a")
    assert str(hold) == "held by somebody (the hold is damaged)"
    applied = pulled(docker, "a")
    assert applied.outcomes == {"a": "skipped"}
    assert applied.result.stacks["a"].message == str(hold)
    assert hold
    assert release(docker.target(), state, hold)
    assert pulled(docker, "a").outcomes == {"a": "applied"}


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_file_is_no_hold(docker: Host, text: str) -> None:
    docker.write("holds/a.json", text)
    assert holds_of(probe(docker.target())) == ()
    assert pulled(docker, "a").outcomes == {"a": "applied"}


def test_nothing_is_changed_while_holds_are_read(docker: Host) -> None:
    held(docker, seconds=-1)
    before = {path: path.read_text() for path in docker.root.rglob("*") if path.is_file()}
    probe(docker.target())
    assert {path: path.read_text() for path in docker.root.rglob("*") if path.is_file()} == before
