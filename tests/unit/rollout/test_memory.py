"""What hosts remember of a rollout, and the claims on it: on this machine, by its shell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from paisctl.cluster.claims import Claims, holder
from paisctl.cluster.driver import Task
from paisctl.cluster.place import Place
from paisctl.errors import HostBusy, HostError, UnexpectedAnswer
from paisctl.hostside import assignments, script
from paisctl.rollout.memory import behind, recall, remember
from paisctl.rollout.record import Phase, Progress, Record, parse_record
from paisctl.targets import Target
from paisctl.transports.fake import FakeTransport
from paisctl.transports.local import LocalTransport

TASK = Task("v1.19.0", accept_downtime=frozenset({"notes"}))
RECORD = Record(
    "knowledge",
    3,
    "qdrant",
    TASK,
    {"a": "v1.18.3"},
    "somebody@laptop",
    "2026-11-22T21:00:00Z",
    {"a": Phase.DONE, "b": Phase.CHECKING, "c": Phase.WAITING},
    journal={"factors": {"notes": 2}},
)


def place(root: Path, device: str = "a") -> Place:
    return Place(Target(device, LocalTransport(), str(root)), str(root), sudo=False)


@pytest.fixture
def places(tmp_path: Path) -> list[Place]:
    return [place(tmp_path / device, device) for device in ("a", "b", "c")]


def gone() -> Place:
    unreachable = FakeTransport(refuses=HostError("c cannot be reached"))
    return Place(Target("c", unreachable, "/r"), "/r", sudo=False)


def test_a_record_is_what_was_written(places: list[Place]) -> None:
    assert recall(places, "knowledge") is None
    assert remember(places, RECORD) == []
    assert recall(places, "knowledge") == RECORD
    assert (RECORD.remaining, RECORD.begun, RECORD.is_open) == (["b", "c"], ["b"], True)


def test_the_newest_counts_also_from_a_host_that_missed_some(places: list[Place]) -> None:
    remember(places, RECORD)
    later = replace(RECORD, sequence=1, progress=Progress.DONE)
    remember(places[1:], later)
    assert recall(places, "knowledge") == later
    next_one = replace(RECORD, number=4, sequence=0)
    remember(places[:1], next_one)
    assert recall(places, "knowledge") == next_one


def test_who_was_away_when_it_ended_is_found(places: list[Place]) -> None:
    remember(places, RECORD)
    assert behind(places, RECORD) == []
    ended = replace(RECORD, sequence=9, progress=Progress.DONE)
    remember(places[1:], ended)
    assert behind(places, ended) == places[:1]
    remember(places[:1], ended)
    assert behind(places, ended) == []


def test_who_could_not_write_is_named_and_all_of_them_is_an_error(places: list[Place]) -> None:
    assert remember([places[0], gone()], RECORD) == ["c"]
    with pytest.raises(HostError, match="cannot be reached"):
        remember([gone()], RECORD)


def test_a_damaged_record_is_passed_over_unless_it_is_the_only_one(places: list[Place]) -> None:
    remember(places, RECORD)
    damaged = Path(places[0].root, "rollouts", "knowledge.json")
    damaged.write_text("{")
    assert recall(places, "knowledge") == RECORD
    with pytest.raises(UnexpectedAnswer, match="cannot be read"):
        recall(places[:1], "knowledge")


def test_a_record_of_a_newer_paisctl_is_not_guessed_at() -> None:
    newer = json.loads(RECORD.to_json()) | {"version": 99}
    with pytest.raises(UnexpectedAnswer, match="newer paisctl"):
        parse_record(json.dumps(newer), "a")


def claim(places: list[Place], name: str, who: str) -> Claims:
    return Claims(places, name, who, f"{name} is being rolled", "wait")


def claims(places: list[Place], who: str = "somebody@laptop") -> Claims:
    return claim(places, "knowledge", who)


def claim_files(places: list[Place]) -> list[str]:
    return sorted(
        path.name for each in places for path in Path(each.root, "rollouts").glob("*claim*")
    )


def until_free(places: list[Place]) -> None:
    deadline = time.monotonic() + 10
    while claim_files(places):
        assert time.monotonic() < deadline, claim_files(places)
        time.sleep(0.05)


def test_a_claim_ends_when_who_holds_it_says_nothing_any_more(tmp_path: Path) -> None:
    """As with a laptop that was closed: its connection stands."""
    values = {"ROOT": tmp_path, "FOLDER": "rollouts", "NAME": "knowledge", "RUN": "f00"}
    program = assignments(HOLDER='"me"', **{name: str(each) for name, each in values.items()})
    hurried = script("claim.sh").replace("BEAT=5", "BEAT=1").replace("PATIENCE=60", "PATIENCE=2")
    claim_file = tmp_path / "rollouts/knowledge.claim"
    with subprocess.Popen(
        ["sh", "-c", program + hurried], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "@paisctl held\n"
        for _ in range(5):
            time.sleep(1)
            process.stdin.write("here\n")
            process.stdin.flush()
        assert claim_file.exists()
        assert process.wait(timeout=15) == -signal.SIGKILL
        assert not list(claim_file.parent.iterdir())


def test_who_has_it_is_told_as_written(places: list[Place]) -> None:
    who = 'ann "the boss" Müller@back\\slash'
    with claims(places, who):
        assert holder(places, "knowledge") == who
        with pytest.raises(HostBusy) as busy, claims(places):
            pass
    assert busy.value.message == f"knowledge is being rolled by {who}"


def test_why_a_claim_cannot_be_written_is_said(places: list[Place]) -> None:
    rollouts = Path(places[0].root, "rollouts")
    rollouts.mkdir(parents=True, exist_ok=True)
    # What root could not write, either: the name of the file is too long.
    with pytest.raises(HostError, match=r"cannot write below .*: .*[Tt]oo long"):
        claim(places, "k" * 300, "me").__enter__()


def test_one_at_a_time(places: list[Place]) -> None:
    with claims(places) as first:
        assert holder(places, "knowledge") == "somebody@laptop"
        with pytest.raises(HostBusy, match="is being rolled by somebody@laptop"):
            claims(places, "another@desk").__enter__()
        assert not first.hold()
    until_free(places)
    assert holder(places, "knowledge") == ""
    with claims(places):
        pass


def test_who_is_refused_at_one_host_leaves_no_claim_at_the_others(places: list[Place]) -> None:
    with claims(places[2:]):
        with pytest.raises(HostBusy), claims(places):
            pytest.fail("it was let in")
        deadline = time.monotonic() + 10
        while claim_files(places[:2]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    until_free(places)


def test_what_was_lost_is_taken_again(places: list[Place]) -> None:
    with claims(places) as mine:
        Path(places[1].root, "rollouts", "knowledge.claim").unlink()
        deadline = time.monotonic() + 15
        while not mine.hold():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert not mine.hold()
        assert holder(places[1:2], "knowledge") == "somebody@laptop"


def test_a_rollout_of_another_name_is_another_matter(places: list[Place]) -> None:
    with claims(places), claim(places, "cache", "another@desk"):
        assert len([name for name in claim_files(places) if name.endswith(".claim")]) == 6


def children(process: str, command: str = "sh") -> list[str]:
    found = subprocess.run(
        ["pgrep", "-P", process, "-f", command], capture_output=True, text=True, check=False
    )
    return found.stdout.split()


def test_a_claim_ends_with_the_process_that_holds_it(places: list[Place]) -> None:
    with claims(places[:1]):
        for process in children(str(os.getpid())):
            for each in [*children(process, "sh -s"), process]:
                os.kill(int(each), signal.SIGKILL)
        until_free(places)


@pytest.mark.parametrize(("age", "is_taken"), [(10, True), (120, False)])
def test_a_claim_without_a_sign_of_life_is_nobodys(
    places: list[Place], age: int, *, is_taken: bool
) -> None:
    folder = Path(places[0].root, "rollouts")
    folder.mkdir(parents=True)
    beat = int(time.time()) - age
    text = f'{{"run":"f00","holder":"somebody@laptop","heartbeat":{beat}}}\n'
    (folder / "knowledge.claim").write_text(text)
    assert bool(holder(places, "knowledge")) is is_taken
    if is_taken:
        with pytest.raises(HostBusy):
            claims(places).__enter__()
    else:
        with claims(places):
            assert holder(places, "knowledge") == "somebody@laptop"
