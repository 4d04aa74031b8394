"""What is in the way on a host, by accident or on purpose: nothing of a person's is lost or leaked."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.rehearsal import Rehearsal
from tests.e2e.scenario import apply, plan
from tests.properties.hostile import CODE
from tests.properties.strategies import as_yaml

ROOT = "/opt/paisctl"
CANARY = f"{ROOT}/stacks/canary"


def overlay(folder: Path, **settings: Any) -> Path:
    """An overlay with settings for the canary on the box."""
    path = folder / "overlay.yaml"
    stacks = {"canary": settings}
    path.write_text(as_yaml({"devices": {"box": {"stacks": stacks}}}), "utf-8")
    return path


def test_hostile_values_arrive_as_they_are_and_are_not_run(
    deployed: Rehearsal, tmp_path: Path
) -> None:
    values = {f"HOSTILE_{number}": value for number, value in enumerate(CODE)}
    values |= {name: name for name in ("$(touch harmed)", "a b", "-rf", "${HOME}", "ünï", "'", '"')}
    word = "a".join(["", *CODE])
    hostile = overlay(tmp_path, word=word, environment=values, labels=values)
    apply(deployed, "box", overlay=hostile)

    container = "canary-canary-1"
    environment = in_container(deployed, container, "/proc/1/environ").split("\0")
    assert {f"{name}={value}" for name, value in values.items()} <= {*environment}
    labels = deployed.containers("box")[container]["Config"]["Labels"]
    assert values.items() <= labels.items()
    assert in_container(deployed, container, "/settings/none.conf") == f"word = {word}\n"
    harmed = ["find", "/", "-xdev", "-name", "harmed"]
    assert deployed.root("box", *harmed) == ""
    assert deployed.root("box", "docker", "exec", container, *harmed) == ""
    assert not Path("harmed").exists()
    assert plan(deployed, "box", overlay=hostile) == []


def in_container(fleet: Rehearsal, container: str, path: str) -> str:
    """What a file in a container holds, byte for byte."""
    command = ["docker", "exec", fleet.lab.host("box").container, "docker", "exec", container]
    completed = subprocess.run([*command, "cat", path], capture_output=True, check=True)
    return completed.stdout.decode()


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


@pytest.mark.parametrize("place", [f"{ROOT}/stacks", CANARY])
def test_no_directory_above_the_files_is_followed_out_of_the_root(
    deployed: Rehearsal, tmp_path: Path, place: str
) -> None:
    deployed.root("box", "sh", "-c", f"mkdir -m 777 /srv/outside; mv {place} {place}.aside")
    deployed.root("box", "ln", "-s", "/srv/outside", place)
    try:
        changed = overlay(tmp_path, word="second")
        completed = deployed.paisctl("apply", "--yes", "box", overlay=changed)
        assert completed.returncode == 1
        assert f"leads out of {ROOT}" in completed.stdout
        assert deployed.root("box", "ls", "-A", "/srv/outside") == ""
    finally:
        deployed.root("box", "sh", "-c", f"rm {place}; mv {place}.aside {place}")
        deployed.root("box", "rm", "-r", "/srv/outside")


def test_a_link_in_place_of_a_file_is_replaced_and_not_written_through(
    deployed: Rehearsal, tmp_path: Path
) -> None:
    deployed.root("box", "sh", "-c", "echo untouched >/srv/outside; chmod 666 /srv/outside")
    file = f"{CANARY}/settings/none.conf"
    deployed.root("box", "ln", "-sf", "/srv/outside", file)
    apply(deployed, "box", overlay=overlay(tmp_path, word="second"))
    assert deployed.root("box", "cat", "/srv/outside") == "untouched\n"
    assert deployed.root("box", "stat", "-c", "%F", file) == "regular file\n"
    assert deployed.root("box", "cat", file) == "word = second\n"
    deployed.root("box", "rm", "/srv/outside")


@pytest.mark.parametrize("path", ["../../../../srv/outside", "/srv/outside", "new/../../../x"])
def test_a_file_outside_of_its_stack_is_refused(
    deployed: Rehearsal, tmp_path: Path, path: str
) -> None:
    evil = tmp_path / "stacks" / "evil"
    evil.mkdir(parents=True)
    (evil / "x.j2").write_text("x")
    (evil / "compose.yaml.j2").write_text('services: {x: {image: "redis:7", mem_limit: 9m}}\n')
    file = {"path": path, "template": "x.j2", "on_change": {"action": "none"}}
    (evil / "bundle.yaml").write_text(
        yaml.safe_dump({"description": "Evil", "images": {}, "files": [file]})
    )
    asking = tmp_path / "overlay.yaml"
    asking.write_text("devices: {box: {stacks: {evil: {}}}}\n")
    completed = deployed.paisctl("apply", "--yes", "box", overlay=asking)
    assert completed.returncode == 1
    assert f"{evil / 'bundle.yaml'}:" in completed.stderr.replace("\n", "")
    assert path in completed.stderr
    assert deployed.root("box", "find", "/srv", ROOT, "-name", "outside", "-o", "-name", "x") == ""


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
