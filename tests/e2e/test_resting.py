"""What is not enabled stays stopped, and what is not wanted is pruned; read from the engine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.faults.harness.host import Host
from tests.e2e.rehearsal import Rehearsal
from tests.e2e.scenario import Ids, apply, plan

BOX = "box"
CANARY, JOB, EXTRA = "canary-canary-1", "canary-job-1", "canary-extra-1"


@pytest.fixture
def box(fleet: Rehearsal) -> Iterator[Rehearsal]:
    """The box as the inventory wants it; so it is left, too."""
    apply(fleet, BOX)
    yield fleet
    apply(fleet, BOX)


def overlay(folder: Path, settings: str) -> Path:
    path = folder / "overlay.yaml"
    path.write_text(f"devices: {{box: {{stacks: {{canary: {settings}}}}}}}\n")
    return path


def ids(fleet: Rehearsal) -> Ids:
    return {(BOX, name): each["Id"] for name, each in fleet.containers(BOX).items()}


def is_up(fleet: Rehearsal, name: str) -> bool:
    return bool(fleet.containers(BOX)[name]["State"]["Running"])


def test_a_stack_rests_and_wakes_with_the_same_containers(box: Rehearsal, tmp_path: Path) -> None:
    before = ids(box)
    off = overlay(tmp_path, "{enabled: false}")
    [state] = [c for c in plan(box, BOX, overlay=off) if c["field"] == "state"]
    assert (state["subject"], state["wanted"]) == ("service canary", "stopped")
    for _ in range(2):
        apply(box, BOX, overlay=off)
        assert ids(box) == before
        assert not is_up(box, CANARY)
    assert plan(box, BOX, overlay=off) == []
    assert "disabled" in box.paisctl("status", BOX, overlay=off).stdout

    box.root(BOX, "docker", "start", CANARY)
    [change] = plan(box, BOX, overlay=off)
    assert (change["cause"], change["field"]) == ("drift", "state")
    apply(box, BOX, overlay=off)
    assert not is_up(box, CANARY)

    for _ in range(2):
        apply(box, BOX)
        assert ids(box) == before
        assert is_up(box, CANARY)


def test_what_changed_while_it_rested_is_made_anew_on_waking(
    box: Rehearsal, tmp_path: Path
) -> None:
    before = ids(box)
    off = overlay(tmp_path, "{enabled: {canary: false}}")
    apply(box, BOX, overlay=off)
    changed = overlay(tmp_path, "{enabled: {canary: false}, memory: 48m, word: other}")
    apply(box, BOX, overlay=changed)
    assert ids(box) == before
    assert not is_up(box, CANARY)
    conf = box.root(BOX, "cat", "/opt/paisctl/stacks/canary/settings/none.conf")
    assert conf == "word = other\n"

    on = overlay(tmp_path, "{memory: 48m, word: other}")
    changes = plan(box, BOX, overlay=on)
    assert {c["cause"] for c in changes} == {"pending"}
    apply(box, BOX, overlay=on)
    after = ids(box)
    assert after.pop((BOX, CANARY)) != before.pop((BOX, CANARY))
    assert after == before
    assert is_up(box, CANARY)
    assert plan(box, BOX, overlay=on) == []


def test_it_stays_stopped_when_the_engine_starts_again(box: Rehearsal, tmp_path: Path) -> None:
    apply(box, BOX, overlay=overlay(tmp_path, "{enabled: false}"))
    Host(box, BOX).restart_engine()
    deadline = time.monotonic() + 60
    while not is_up(box, "node-exporter-node-exporter-1"):
        assert time.monotonic() < deadline
        time.sleep(1)
    assert not is_up(box, CANARY)


def test_prune_removes_a_service_and_leaves_other_changes(box: Rehearsal, tmp_path: Path) -> None:
    apply(box, BOX, overlay=overlay(tmp_path, "{extra: true}"))
    before = ids(box)
    changed = overlay(tmp_path, "{memory: 48m}")
    for _ in range(2):
        done = box.paisctl("prune", BOX, "--yes", overlay=changed)
        assert done.returncode == 0, done.stdout + done.stderr
        assert ids(box) == {key: value for key, value in before.items() if key[1] != EXTRA}
    memory = box.containers(BOX)[CANARY]["HostConfig"]["Memory"]
    assert memory == 32 * 2**20
    [change] = plan(box, BOX, overlay=changed)
    assert (change["cause"], change["field"]) == ("pending", "memory limit")


def test_prune_removes_a_stack_and_keeps_its_volume(box: Rehearsal, tmp_path: Path) -> None:
    box.root(BOX, "docker", "exec", CANARY, "touch", "/data/keep")
    box.root(
        BOX, "docker", "run", "-d", "--name", "mine", "--entrypoint", "sleep", image(box), "99"
    )
    before = ids(box)
    gone = overlay(tmp_path, "null")
    for _ in range(2):
        done = box.paisctl("prune", BOX, "--stack", "canary", "--yes", overlay=gone)
        assert done.returncode == 0, done.stdout + done.stderr
        left = {key: value for key, value in before.items() if key[1] not in (CANARY, JOB)}
        assert ids(box) == left
    apply(box, BOX)
    box.root(BOX, "docker", "exec", CANARY, "test", "-e", "/data/keep")
    box.root(BOX, "docker", "rm", "--force", "mine")


def test_prune_leaves_what_others_have_in_the_project(box: Rehearsal, tmp_path: Path) -> None:
    compose = "com.docker.compose"
    labels = (f"{compose}.project=canary", f"{compose}.service=mine", f"{compose}.oneoff=False")
    options = [part for label in labels for part in ("--label", label)]
    run = ["docker", "run", "-d", "--name", "mine", *options, "--entrypoint", "sleep", image(box)]
    box.root(BOX, *run, "999")
    before = ids(box)
    gone = overlay(tmp_path, "null")
    for _ in range(2):
        done = box.paisctl("prune", BOX, "--yes", overlay=gone)
        assert done.returncode == 0, done.stdout + done.stderr
        assert ids(box) == {key: before[key] for key in before if key[1] not in (CANARY, JOB)}
    assert not box.root(BOX, "sh", "-c", "ls /opt/paisctl/stacks/canary 2>/dev/null || true")
    box.root(BOX, "docker", "rm", "--force", "mine")


def image(fleet: Rehearsal) -> str:
    return str(fleet.containers(BOX)[CANARY]["Config"]["Image"])
