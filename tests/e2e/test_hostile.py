"""What is in the way on a host, by accident or on purpose: nothing of a person's is lost or leaked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.rehearsal import Rehearsal
from tests.e2e.scenario import apply, plan

ROOT = "/opt/paisctl"
CANARY = f"{ROOT}/stacks/canary"


def overlay(folder: Path, **settings: Any) -> Path:
    """An overlay with settings for the canary on the box."""
    path = folder / "overlay.yaml"
    stacks = {"canary": settings}
    path.write_text(yaml.safe_dump({"devices": {"box": {"stacks": stacks}}}), "utf-8")
    return path


def test_hostile_values_arrive_as_they_are_and_are_not_run(
    deployed: Rehearsal, tmp_path: Path
) -> None:
    value = "a\nb: [c \"'\\ {{ 7 * 7 }} $(touch /srv/run) `touch /srv/run` ${HOME} $$ #\tü\u2028"
    hostile = overlay(tmp_path, word=value, environment={"HOSTILE": value})
    apply(deployed, "box", overlay=hostile)
    assert deployed.root("box", "cat", f"{CANARY}/settings/none.conf") == f"word = {value}\n"
    environment = deployed.containers("box")["canary-canary-1"]["Config"]["Env"]
    assert f"HOSTILE={value}" in environment
    assert "run" not in deployed.root("box", "ls", "/srv").split()
    assert plan(deployed, "box", overlay=hostile) == []


def test_a_link_that_leads_out_of_the_root_is_not_written_through(
    deployed: Rehearsal, tmp_path: Path
) -> None:
    """Neither when files are put in place nor when they are checked before."""
    deployed.root("box", "sh", "-c", f"rm -r {CANARY}/settings; mkdir -m 777 /srv/outside")
    deployed.root("box", "sh", "-c", "echo untouched >/srv/outside/none.conf")
    deployed.root("box", "ln", "-s", "/srv/outside", f"{CANARY}/settings")
    try:
        changed = overlay(tmp_path, word="second")
        completed = deployed.paisctl("apply", "--yes", "box", overlay=changed)
        assert completed.returncode == 1
        assert f"{CANARY}/settings leads out of {ROOT}" in completed.stdout
        assert deployed.root("box", "ls", "/srv/outside") == "none.conf\n"
        assert deployed.root("box", "cat", "/srv/outside/none.conf") == "untouched\n"
    finally:
        deployed.root("box", "rm", "-r", f"{CANARY}/settings", "/srv/outside")


@pytest.mark.parametrize("lock", ["", "process 1, ann@laptop"])
def test_a_lock_that_a_power_cut_has_left_is_nobodys(
    deployed: Rehearsal, tmp_path: Path, lock: str
) -> None:
    deployed.root("box", "sh", "-c", f"printf '{lock}' >{ROOT}/lock")
    apply(deployed, "box", overlay=overlay(tmp_path, word=f"lock{len(lock)}"))
    assert "lock" not in deployed.root("box", "ls", ROOT).split()


def test_a_full_disk_stops_the_delivery_and_leaves_nothing_of_it(
    deployed: Rehearsal, tmp_path: Path
) -> None:
    before = deployed.root("box", "cat", f"{ROOT}/manifest.json")
    deployed.root("box", "rm", "-rf", f"{ROOT}/staging")
    deployed.root("box", "mkdir", f"{ROOT}/staging")
    mount = ["-t", "tmpfs", "-o", "size=16k,mode=777", "tmpfs", f"{ROOT}/staging"]
    deployed.root("box", "mount", *mount)
    try:
        changed = overlay(tmp_path, word="second")
        completed = deployed.paisctl("apply", "--yes", "box", overlay=changed)
        assert completed.returncode == 1
        assert "perhaps for want of space" in completed.stdout
        assert deployed.root("box", "ls", f"{ROOT}/staging") == ""
        assert deployed.root("box", "cat", f"{ROOT}/manifest.json") == before
    finally:
        deployed.root("box", "umount", f"{ROOT}/staging")
        deployed.root("box", "rmdir", f"{ROOT}/staging")


def test_removing_a_stack_keeps_what_a_person_put_beside_it(
    deployed: Rehearsal, tmp_path: Path
) -> None:
    """Also when its Compose file is gone."""
    container = "canary-canary-1"
    deployed.root("box", "docker", "exec", container, "sh", "-c", "echo kept >/data/mine")
    deployed.root(
        "box", "sh", "-c", f"echo mine >{CANARY}/settings/notes; rm {CANARY}/compose.yaml"
    )
    without = tmp_path / "without.yaml"
    without.write_text("devices: {box: {stacks: {canary: null}}}\n")
    apply(deployed, "box", overlay=without)
    assert container not in deployed.containers("box")
    left = deployed.root("box", "find", CANARY, "-type", "f")
    assert left == f"{CANARY}/settings/notes\n"
    apply(deployed, "box")
    assert deployed.root("box", "docker", "exec", container, "cat", "/data/mine") == "kept\n"
    deployed.root("box", "rm", f"{CANARY}/settings/notes")
