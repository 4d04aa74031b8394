"""Devices that sleep get what they owe once they wake; what is held is left alone until it is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.faults.harness.host import Host
from tests.e2e.rehearsal import Rehearsal
from tests.e2e.scenario import apply, plan

BOX, SLEEPER = "box", "m7-2"
BOTH = (BOX, SLEEPER)
CANARY = "canary-canary-1"
ONLY = ("--stack", "canary")


@pytest.fixture
def both(fleet: Rehearsal, tmp_path: Path) -> Iterator[Rehearsal]:
    """Two hosts as the inventory wants them, one of which need not be on; so they are left, too."""
    apply(fleet, *BOTH, *ONLY, overlay=settings(tmp_path))
    yield fleet
    for device in BOTH:
        fleet.paisctl("release", device)
        fleet.paisctl("release", f"{device}/canary")
    apply(fleet, *BOTH, *ONLY, overlay=settings(tmp_path))


def settings(folder: Path, **canary: object) -> Path:
    path = folder / "overlay.yaml"
    overlay = {"devices": {SLEEPER: {"required": False}}, "stacks": {"canary": canary}}
    path.write_text(yaml.safe_dump(overlay))
    return path


def memory(fleet: Rehearsal, device: str) -> int:
    """The memory limit of the canary in MiB, as the engine has it."""
    return int(fleet.containers(device)[CANARY]["HostConfig"]["Memory"] // 2**20)


def record(fleet: Rehearsal) -> dict[str, Any]:
    """What the box has written down of the other one."""
    found: dict[str, Any] = json.loads(fleet.root(BOX, "cat", f"/opt/paisctl/fleet/{SLEEPER}.json"))
    return found


def test_one_that_is_asleep_is_left_out_and_given_what_it_owes_when_it_wakes(
    both: Rehearsal, tmp_path: Path
) -> None:
    given = record(both)
    assert "canary" in given["stacks"]
    assert given["owed_since"] == ""
    before = {device: memory(both, device) for device in BOTH}

    host = Host(both, SLEEPER)
    host.lose_power()
    try:
        change = settings(tmp_path, memory="56m")
        planned = both.paisctl("plan", "--detailed-exitcode", *BOTH, *ONLY, overlay=change)
        assert planned.returncode == 2, planned.stdout + planned.stderr
        assert f"z {SLEEPER}  asleep: " in planned.stdout
        assert "canary (changed)" in planned.stdout
        assert record(both) == given  # a plan writes nothing

        first = both.paisctl("apply", "--yes", *BOTH, *ONLY, overlay=change)
        assert first.returncode == 0, first.stdout + first.stderr
        assert first.stdout.endswith("Done: 1 stack applied on 1 host; 1 host asleep.\n")
        assert memory(both, BOX) == 56
        owed = record(both)
        assert owed["stacks"] == given["stacks"]
        assert owed["owed_since"]

        again = both.paisctl("apply", "--yes", *BOTH, *ONLY, overlay=change)
        assert again.returncode == 0, again.stdout + again.stderr
        assert record(both) == owed
        since = owed["owed_since"][:16].replace("T", " ")
        status = both.paisctl("status", *BOTH, *ONLY, overlay=change)
        assert status.returncode == 0
        said = " ".join(status.stdout.split())
        assert "canary (changed)" in said
        assert f" since {since} UTC as of its last apply, " in said
    finally:
        host.power_on()

    assert memory(both, SLEEPER) == before[SLEEPER]
    apply(both, *BOTH, *ONLY, overlay=change)
    assert {memory(both, device) for device in BOTH} == {56}
    assert record(both)["owed_since"] == ""
    assert record(both)["stacks"] != given["stacks"]
    assert plan(both, *BOTH, *ONLY, overlay=change) == []


def test_one_that_is_required_is_skipped_only_when_that_is_asked_for(
    both: Rehearsal, tmp_path: Path
) -> None:
    host = Host(both, BOX)
    host.lose_power()
    try:
        change = settings(tmp_path, memory="56m")
        refused = both.paisctl("plan", "--detailed-exitcode", *BOTH, *ONLY, overlay=change)
        assert refused.returncode == 4
        skipped = both.paisctl("apply", "--yes", "--skip-unreachable", *BOTH, *ONLY, overlay=change)
        assert skipped.returncode == 0, skipped.stdout + skipped.stderr
        assert memory(both, SLEEPER) == 56
    finally:
        host.power_on()


def test_a_saved_plan_is_carried_out_without_one_that_fell_asleep(
    both: Rehearsal, tmp_path: Path
) -> None:
    change, saved = settings(tmp_path, memory="56m"), str(tmp_path / "plan.json")
    assert both.paisctl("plan", "-o", saved, *BOTH, *ONLY, overlay=change).returncode == 0
    host = Host(both, SLEEPER)
    host.lose_power()
    try:
        applied = both.paisctl("apply", "--yes", saved, overlay=change)
        assert applied.returncode == 0, applied.stdout + applied.stderr
        assert "owes canary (changed)" in applied.stdout
        assert memory(both, BOX) == 56
        assert record(both)["owed_since"]
    finally:
        host.power_on()
    assert memory(both, SLEEPER) != 56


def test_what_is_held_is_left_alone_until_it_is_released(both: Rehearsal, tmp_path: Path) -> None:
    # Whatever ran before: there is a generation to go back to.
    apply(both, *BOTH, *ONLY, overlay=settings(tmp_path, memory="52m"))
    before = {device: memory(both, device) for device in BOTH}
    held = both.paisctl("hold", f"{BOX}/canary", "--until", "2h", "--reason", "watching it")
    assert held.returncode == 0, held.stderr
    assert json.loads(both.root(BOX, "cat", "/opt/paisctl/holds/canary.json"))["reason"] == (
        "watching it"
    )
    change = settings(tmp_path, memory="56m")
    planned = both.paisctl("plan", "--detailed-exitcode", BOX, *ONLY, overlay=change)
    assert planned.returncode == 0
    assert "watching it" in " ".join(planned.stdout.split())
    apply(both, *BOTH, *ONLY, overlay=change)
    assert (memory(both, BOX), memory(both, SLEEPER)) == (before[BOX], 56)
    refused = both.paisctl("rollback", BOX, "--yes", overlay=change)
    assert refused.returncode == 1
    assert f"hint: paisctl release {BOX}/canary" in refused.stdout

    assert both.paisctl("release", f"{BOX}/canary").returncode == 0
    apply(both, *BOTH, *ONLY, overlay=change)
    assert memory(both, BOX) == 56


def test_a_plan_that_was_saved_before_the_hold_does_not_change_what_is_held(
    both: Rehearsal, tmp_path: Path
) -> None:
    before = memory(both, BOX)
    change, saved = settings(tmp_path, memory="56m"), str(tmp_path / "plan.json")
    assert both.paisctl("plan", "-o", saved, *BOTH, *ONLY, overlay=change).returncode == 0
    assert both.paisctl("hold", BOX, "--until", "2h", "--reason", "disks").returncode == 0
    applied = both.paisctl("apply", "--yes", saved, overlay=change)
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert (memory(both, BOX), memory(both, SLEEPER)) == (before, 56)


def test_a_hold_ends_by_itself(both: Rehearsal, tmp_path: Path) -> None:
    assert both.paisctl("hold", BOX, "--until", "2h", "--reason", "disks").returncode == 0
    path = "/opt/paisctl/holds/_device.json"
    ended = json.loads(both.root(BOX, "cat", path)) | {"until": 1_700_000_000}
    both.root(BOX, "sh", "-c", f"cat >{path} <<'.'\n{json.dumps(ended)}\n.")
    apply(both, BOX, *ONLY, overlay=settings(tmp_path, memory="56m"))
    assert memory(both, BOX) == 56
    assert both.root(BOX, "ls", "/opt/paisctl/holds") == ""
