"""What a host remembers, whole and damaged."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from paisctl.history import (
    current_generation,
    generations_of,
    last_run,
    runs_of,
    unreadable_lines,
)
from paisctl.lease import Lease, lease_of
from paisctl.manifest import parse_manifest
from paisctl.observed import HostState, KeptGeneration
from paisctl.rollback_aim import find_aim

NOW = 1_795_356_000  # 2026-11-22 14:00:00 UTC
WEB = (
    '"web": {"bundle": "", "files": {"compose.yaml": {"action": "none", "check": null, '
    '"digest": "d", "mode": "0644", "secret": false, "service": null, "signal": null}}, '
    '"gates": [], "health_timeout": 1.0, "inputs": {}, "needs": [], "services": {}}'
)
ORIGIN = {
    "run": "20261122T135900Z-a1b2c3",
    "who": "ann",
    "machine": "laptop",
    "command": "apply",
    "revision": "1a2b3c4",
    "plan": "99aa",
}


def manifest(generation: int) -> str:
    header = {"paisctl": 1, "fleet": "pais", "device": "k6", "generation": generation}
    return f'{json.dumps(header)[:-1]}, "stacks": {{\n{WEB}\n}}}}\n'


REVISION = parse_manifest(manifest(1)).stacks["web"].revision


def kept(number: int, **changes: str) -> KeptGeneration:
    record = {"generation": number, "started": "2026-11-22T13:59:00Z", "changed": ["web"]}
    whole = KeptGeneration(
        number, json.dumps(record | ORIGIN), f"web {REVISION}\n", manifest(number)
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def host(*generations: KeptGeneration, current: int = 2, **more: object) -> HostState:
    files = frozenset({f"web/{REVISION}/files/compose.yaml", f"web/{REVISION}/images"})
    state = HostState(
        "k6", manifest=manifest(current), generations=generations, kept_files=files, epoch=NOW
    )
    return replace(state, **more)  # type: ignore[arg-type]


def lock(**changes: object) -> str:
    lock = ORIGIN | {"process": 12, "started": NOW - 60, "heartbeat": NOW - 3}
    return json.dumps(lock | changes) + "\n"


def began(**changes: object) -> str:
    return json.dumps(
        ORIGIN | {"time": "2026-11-22T13:59:01Z", "event": "began", "generation": 1} | changes
    )


def ended(**changes: object) -> str:
    return began(
        **{
            "time": "2026-11-22T13:59:30Z",
            "event": "ended",
            "generation": 2,
            "stacks": {"web": "applied"},
            "outcome": "applied",
        }
        | changes
    )


def test_generations_are_listed_newest_first() -> None:
    found = generations_of(host(kept(1), kept(2), kept(10), current=10))
    assert [(g.number, g.is_current, g.problem) for g in found] == [
        (10, True, ""),
        (2, False, ""),
        (1, False, ""),
    ]
    assert (found[0].origin.author, found[0].changed, found[0].stacks) == (
        "ann@laptop",
        ("web",),
        ("web",),
    )


@pytest.mark.parametrize(
    ("generation", "problem"),
    [
        (kept(1, record="{"), "its record.json is damaged"),
        (kept(1, record="[]"), "its record.json is damaged"),
        (kept(1, record="[" * 100_000), "its record.json is damaged"),
        (kept(1, manifest="{"), "its manifest.json is damaged: not valid JSON"),
        (kept(1, manifest=""), "its manifest.json is missing"),
        (kept(1, manifest=manifest(7)), "its manifest.json is another generation's"),
        (kept(3), "the run that began it did not finish it"),
    ],
)
def test_a_damaged_generation_says_so(generation: KeptGeneration, problem: str) -> None:
    found = {g.number: g for g in generations_of(host(generation, kept(2)))}
    assert found[2].problem == ""
    assert found[generation.number].problem == problem
    assert found[generation.number].is_usable == ("record" in problem)


def test_a_generation_whose_files_are_gone_says_so() -> None:
    older = kept(1, manifest=manifest(1).replace('"mode": "0644"', '"mode": "0600"'))
    current, before = generations_of(host(older, kept(2), kept_files=frozenset()))
    assert (current.problem, before.problem) == ("", "kept files are missing: web")
    assert (current.is_usable, before.is_usable) == (True, False)


def test_a_generation_of_which_nothing_is_kept_is_listed() -> None:
    [current] = generations_of(host())
    assert (current.number, current.is_current) == (2, True)
    assert current.problem == "nothing is kept of it"
    assert generations_of(HostState("k6")) == []
    assert current_generation(HostState("k6", manifest="torn")) == 0


def test_a_run_has_a_beginning_and_an_end() -> None:
    [run] = runs_of(host(last_runs=(began(), ended())))
    assert (run.time, run.ended) == ("2026-11-22T13:59:01Z", "2026-11-22T13:59:30Z")
    assert (run.outcome, run.generation, run.stacks) == ("applied", 2, {"web": "applied"})


def test_a_run_without_an_end_broke_off_unless_it_goes_on() -> None:
    state = host(last_runs=(began(),))
    assert [run.outcome for run in runs_of(state)] == ["broke off"]
    going_on = replace(state, lock=lock(), lock_alive=True)
    assert [run.outcome for run in runs_of(going_on)] == ["running"]
    others = replace(state, lock=lock(run="other"), lock_alive=True)
    assert [run.outcome for run in runs_of(others)] == ["broke off"]


def test_the_removal_of_a_lock_is_no_run() -> None:
    unlocked = began(event="unlocked", who="bob", time="2026-11-22T14:30:00Z")
    state = host(last_runs=(began(), unlocked, ended(outcome="stopped")))
    assert [(run.origin.who, run.outcome) for run in runs_of(state)] == [
        ("ann", "stopped"),
        ("bob", "unlocked"),
    ]
    last = last_run(state)
    assert last
    assert last.outcome == "stopped"


def test_a_damaged_log_is_read_as_far_as_it_goes() -> None:
    lines = ('{"time":"2026', "", "2026 ann apply generation 1: web applied", began(), '{"a":1}')
    state = host(last_runs=(*lines, json.dumps({"event": "ended", "run": 5, "stacks": "x"})))
    assert [run.outcome for run in runs_of(state)] == ["broke off", ""]
    assert unreadable_lines(state) == 2
    assert last_run(HostState("k6")) is None


@pytest.mark.parametrize(
    ("alive", "heartbeat", "is_held"),
    [
        (True, NOW - 7200, True),
        (False, NOW, False),
        (None, NOW - 60, True),
        (None, NOW - 61, False),
    ],
)
def test_a_lease_is_held_while_its_process_lives(
    alive: bool | None, heartbeat: int, is_held: bool
) -> None:
    lease = lease_of(host(lock=lock(heartbeat=heartbeat), lock_alive=alive))
    assert lease
    assert lease.is_held is is_held
    assert str(lease) == "ann@laptop (apply, since 2026-11-22 13:59 UTC)"


@pytest.mark.parametrize("text", ["process 12, ann@laptop", "{}", "[1]", lock(started=None)])
def test_a_damaged_lock_is_held_only_by_a_process_that_lives(text: str) -> None:
    def held(alive: bool | None) -> bool:
        lease = lease_of(host(lock=text, lock_alive=alive))
        assert isinstance(lease, Lease)
        return lease.is_held

    assert [held(True), held(False), held(None)] == [True, False, False]


def test_no_lock() -> None:
    assert lease_of(host(lock="")) is None
    assert lease_of(host(lock="\n")) is None
    far = lease_of(host(lock=lock(started=10**30)))
    assert far
    assert far.since == ""


@pytest.mark.parametrize(
    ("outcome", "aim"),
    [("applied", 1), ("rolled-back", 1), ("stopped", 1), ("failed", 2), ("stranded", 2)],
)
def test_after_a_run_that_failed_halfway_the_way_back_is_to_where_it_began(
    outcome: str, aim: int
) -> None:
    end = ORIGIN | {"time": "2026-11-22T13:59:09Z", "event": "ended", "generation": 2}
    runs = (began(), json.dumps(end | {"outcome": outcome, "stacks": {}}))
    assert find_aim(host(kept(1), kept(2), last_runs=runs)).number == aim
    broke_off = host(kept(1), kept(2), last_runs=(began(),))
    assert find_aim(broke_off).number == 2
