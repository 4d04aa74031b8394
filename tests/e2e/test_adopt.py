"""Compose projects that were made by hand are taken over as they run; read from the engine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.rehearsal import Completed, Rehearsal
from tests.e2e.scenario import Ids, apply, plan

BOX = "box"
ROOT = "/opt/paisctl"
OURS = f"{ROOT}/stacks/canary"
THEIRS = "/srv/canary"
ALL = {"canary-canary-1", "canary-job-1", "canary-extra-1"}


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    path = tmp_path / "overlay.yaml"
    path.write_text("devices: {box: {stacks: {canary: {extra: true}}}}\n")
    return path


@pytest.fixture
def by_hand(fleet: Rehearsal, overlay: Path) -> Iterator[Rehearsal]:
    """The canary on the box, as if a person had made it in a folder of their own."""
    apply(fleet, BOX, overlay=overlay)
    fleet.root(BOX, "docker", "exec", "canary-canary-1", "touch", "/data/keep")
    fleet.root(BOX, "docker", "compose", "--project-name", "canary", "down")
    fleet.root(BOX, "sh", "-c", f"rm -rf {THEIRS}; mv {OURS} {THEIRS}")
    fleet.root(BOX, "sed", "-i", "/paisctl[.]/d; /^ *labels:$/d", f"{THEIRS}/compose.yaml")
    manifest = json.loads(fleet.root(BOX, "cat", f"{ROOT}/manifest.json"))
    del manifest["stacks"]["canary"]
    fleet.root(BOX, "sh", "-c", f"cat >{ROOT}/manifest.json <<'END'\n{json.dumps(manifest)}\nEND\n")
    yield fleet
    fleet.root(BOX, "sh", "-c", f"cd / && docker compose -p canary down; rm -rf {THEIRS} {OURS}")
    apply(fleet, BOX)


def up(fleet: Rehearsal) -> Ids:
    """Start the project as a person does."""
    fleet.root(BOX, "sh", "-c", f"cd {THEIRS} && docker compose up -d")
    return ids(fleet)


def ids(fleet: Rehearsal) -> Ids:
    found = fleet.containers(BOX)
    return {(BOX, name): each["Id"] for name, each in found.items() if name in ALL}


def adopt(fleet: Rehearsal, overlay: Path, *options: str) -> Completed:
    return fleet.paisctl("adopt", BOX, "canary", "--yes", *options, overlay=overlay)


def adopted(fleet: Rehearsal) -> set[str]:
    manifest = json.loads(fleet.root(BOX, "cat", f"{ROOT}/manifest.json"))
    return set(manifest["stacks"]["canary"].get("adopted", {}))


def test_what_is_as_wanted_keeps_its_container(by_hand: Rehearsal, overlay: Path) -> None:
    """Its mounts of files make one service differ; the two others stay, and later changes renew them."""
    before = up(by_hand)
    refused = by_hand.paisctl("plan", BOX, overlay=overlay)
    assert refused.returncode == 1
    assert f"paisctl adopt {BOX} canary" in refused.stdout

    done = adopt(by_hand, overlay)
    assert done.returncode == 0, done.stdout + done.stderr
    after = ids(by_hand)
    kept = {key: before[key] for key in before if key[1] != "canary-canary-1"}
    assert kept.items() <= after.items()
    assert after[BOX, "canary-canary-1"] != before[BOX, "canary-canary-1"]
    assert adopted(by_hand) == set(kept.values())
    by_hand.root(BOX, "docker", "exec", "canary-canary-1", "test", "-e", "/data/keep")
    assert "paisctl" in by_hand.root(BOX, "head", "-n", "1", f"{OURS}/compose.yaml")

    assert plan(by_hand, BOX, overlay=overlay) == []
    again = adopt(by_hand, overlay)
    assert again.returncode == 1
    assert "nothing to adopt" in again.stdout
    apply(by_hand, BOX, overlay=overlay)
    assert ids(by_hand) == after


def test_what_was_adopted_is_renewed_when_it_changes(by_hand: Rehearsal, overlay: Path) -> None:
    up(by_hand)
    assert adopt(by_hand, overlay).returncode == 0
    before = ids(by_hand)
    extra = before[BOX, "canary-extra-1"]

    overlay.write_text("devices: {box: {stacks: {canary: {extra: true, memory: 48m}}}}\n")
    apply(by_hand, BOX, overlay=overlay)
    assert ids(by_hand)[BOX, "canary-extra-1"] == extra
    assert extra in adopted(by_hand)

    by_hand.root(BOX, "docker", "update", "--memory", "24m", "--memory-swap", "24m", extra)
    [change] = plan(by_hand, BOX, overlay=overlay)
    assert (change["cause"], change["field"]) == ("drift", "memory limit")
    apply(by_hand, BOX, overlay=overlay)
    assert ids(by_hand)[BOX, "canary-extra-1"] != extra
    assert extra not in adopted(by_hand)
    after = ids(by_hand)
    apply(by_hand, BOX, overlay=overlay)
    assert ids(by_hand) == after


def test_data_in_other_mounts_is_not_left_behind_unasked(by_hand: Rehearsal, overlay: Path) -> None:
    """With --yes alone nothing is done; with the word for it, the old volume is still there."""
    text = by_hand.root(BOX, "cat", f"{THEIRS}/compose.yaml")
    text = text.replace("- data:/data", "- other:/data")
    text = re.sub(r"(?m)^  data:.*$", "  other: {}", text)
    by_hand.root(BOX, "sh", "-c", f"cat >{THEIRS}/compose.yaml <<'END'\n{text}\nEND\n")
    before = up(by_hand)
    by_hand.root(BOX, "docker", "exec", "canary-canary-1", "touch", "/data/theirs")

    refused = adopt(by_hand, overlay)
    assert refused.returncode == 1
    assert "canary-canary-1 has /data in canary_other" in " ".join(refused.stdout.split())
    assert "--accept-new-mounts" in refused.stdout
    assert ids(by_hand) == before

    assert adopt(by_hand, overlay, "--accept-new-mounts").returncode == 0
    volume = by_hand.root(BOX, "docker", "volume", "inspect", "canary_other")
    [shown] = json.loads(volume)
    by_hand.root(BOX, "test", "-e", f"{shown['Mountpoint']}/theirs")
    assert plan(by_hand, BOX, overlay=overlay) == []
    by_hand.root(BOX, "docker", "volume", "rm", "canary_other")


def test_a_failed_adoption_leaves_the_others_running(by_hand: Rehearsal, overlay: Path) -> None:
    before = up(by_hand)
    broken = '{extra: true, pace: "1; exit 3; sleep 1"}'
    overlay.write_text(f"devices: {{box: {{stacks: {{canary: {broken}}}}}}}\n")
    failed = adopt(by_hand, overlay)
    assert failed.returncode == 1
    after = ids(by_hand)
    for name in ("canary-extra-1", "canary-job-1"):
        assert after[BOX, name] == before[BOX, name]
    assert by_hand.containers(BOX)["canary-extra-1"]["State"]["Running"]

    overlay.write_text("devices: {box: {stacks: {canary: {extra: true}}}}\n")
    done = adopt(by_hand, overlay)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ids(by_hand)[BOX, "canary-extra-1"] == before[BOX, "canary-extra-1"]
    assert plan(by_hand, BOX, overlay=overlay) == []
