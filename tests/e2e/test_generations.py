"""What hosts remember, and going back to it: looked at in the engines and the files themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from paisctl import pipeline
from tests.e2e.rehearsal import Rehearsal
from tests.e2e.scenario import apply, plan

ROOTS = {"box": "/opt/paisctl", "nas": "/volume1/docker/paisctl"}
CANARY = "canary-canary-1"
WORD = "settings/none.conf"


@pytest.fixture
def pair(fleet: Rehearsal) -> Iterator[Rehearsal]:
    """A box with BusyBox and a NAS whose login needs sudo for Docker, as the inventory has them."""
    apply(fleet, *ROOTS)
    yield fleet
    apply(fleet, *ROOTS)


@pytest.fixture(params=ROOTS)
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def overlay(folder: Path, device: str, canary: dict[str, Any] | None) -> Path:
    path = folder / f"{device}.yaml"
    path.write_text(yaml.safe_dump({"devices": {device: {"stacks": {"canary": canary}}}}))
    return path


def generations(fleet: Rehearsal, device: str) -> list[dict[str, Any]]:
    completed = fleet.paisctl("history", device, "--json")
    assert completed.returncode == 0, completed.stdout
    [host] = json.loads(completed.stdout)["hosts"]
    return list(host["generations"])


def snapshot(fleet: Rehearsal, device: str) -> tuple[str, dict[str, Any]]:
    """Every file below the stack, with mode and digest; and what its containers are made from."""
    files = f"cd {ROOTS[device]}/stacks/canary && find . -type f -exec ls -l {{}} + | cut -c 1-10"
    digests = "find . -type f -exec sha256sum {} + | sort"
    said = fleet.root(device, "sh", "-c", f"{files} && {digests}")
    containers = fleet.containers(device)
    made = {
        name: (each["Config"]["Image"], each["Config"]["Labels"]["paisctl.digest"])
        for name, each in containers.items()
        if name.startswith("canary-")
    }
    return said, made


def put_data(fleet: Rehearsal, device: str, text: str) -> None:
    command = f"echo {text} >>/data/key"
    fleet.root(device, "docker", "exec", CANARY, "sh", "-c", command)


def data(fleet: Rehearsal, device: str) -> str:
    volume = "{{.Mountpoint}}"
    path = fleet.root(device, "docker", "volume", "inspect", "--format", volume, "canary_data")
    return fleet.root(device, "cat", f"{path.strip()}/key")


def go_back(fleet: Rehearsal, *arguments: str) -> str:
    completed = fleet.paisctl("rollback", "--yes", *arguments)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def test_each_apply_leaves_a_generation(pair: Rehearsal, tmp_path: Path) -> None:
    device = "nas"
    before = generations(pair, device)
    apply(pair, device, overlay=overlay(tmp_path, device, {"word": "second"}))
    apply(pair, device, overlay=overlay(tmp_path, device, {"word": "second"}))
    now, *others = generations(pair, device)
    assert others
    assert others == [{**each, "current": False} for each in before][: len(others)]
    assert (now["number"], now["current"]) == (before[0]["number"] + 1, True)
    assert (now["command"], now["changed"]) == ("apply", ["canary"])
    assert now["usable"]
    kept = f"{ROOTS[device]}/generations"
    assert pair.root(device, "sh", "-c", f"ls -ld {kept}").startswith("drwx------")
    completed = pair.paisctl("history", device, "--all", "--json")
    runs = json.loads(completed.stdout)["runs"]
    assert (runs[0]["outcome"], runs[0]["stacks"]) == ("applied", {"canary": "applied"})
    assert runs[0]["plan"] == now["plan"] != ""


def test_going_back_and_back_again(pair: Rehearsal, device: str, tmp_path: Path) -> None:
    first = snapshot(pair, device)
    changed = overlay(tmp_path, device, {"word": "second", "memory": "48m", "extra": True})
    apply(pair, device, overlay=changed)
    second = snapshot(pair, device)
    put_data(pair, device, "written-before")
    number = generations(pair, device)[0]["number"]

    said = go_back(pair, device)

    assert snapshot(pair, device) == first != second
    assert f"back to generation {number - 1}" in said
    assert "written-before" in data(pair, device)
    assert plan(pair, device) == []
    now = generations(pair, device)[0]
    assert (now["number"], now["command"]) == (number + 1, f"rollback to {number - 1}")

    go_back(pair, device)

    assert snapshot(pair, device) == second
    assert "written-before" in data(pair, device)
    assert plan(pair, device, overlay=changed) == []


def test_a_secret_goes_back_with_its_file(pair: Rehearsal, tmp_path: Path) -> None:
    """Although the laptop does not know its old value any more."""
    old = pair.containers("box")[CANARY]["Config"]["Env"]
    known = pipeline.read_fleet(pair.inventories).secrets_file
    other = tmp_path / "secrets.yaml"
    other.write_text(yaml.safe_dump(yaml.safe_load(known.read_text()) | {"canary_token": "other"}))
    other.chmod(0o600)
    overlay = tmp_path / "other.yaml"
    overlay.write_text(f"secrets_file: {other}\n")
    apply(pair, "box", overlay=overlay)
    assert "CANARY_TOKEN=other" in pair.containers("box")[CANARY]["Config"]["Env"]
    completed = pair.paisctl("rollback", "--yes", "box", overlay=overlay)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert pair.containers("box")[CANARY]["Config"]["Env"] == old


def test_what_a_generation_did_not_have_is_taken_down(pair: Rehearsal, tmp_path: Path) -> None:
    device = "box"
    put_data(pair, device, "stays")
    apply(pair, device, overlay=overlay(tmp_path, device, None))
    assert CANARY not in pair.containers(device)
    without = generations(pair, device)[0]["number"]
    go_back(pair, device)
    assert pair.containers(device)[CANARY]["State"]["Running"]
    assert "stays" in data(pair, device)

    said = go_back(pair, device, "--to", str(without))

    assert f"generation {without} did not have it; volumes kept" in said
    assert CANARY not in pair.containers(device)
    assert "stays" in data(pair, device)
    stacks = pair.root(device, "ls", f"{ROOTS[device]}/stacks").split()
    assert "canary" not in stacks


def test_an_inventory_that_does_not_know_the_stack_is_enough(
    pair: Rehearsal, tmp_path: Path
) -> None:
    first = snapshot(pair, "box")
    apply(pair, "box", overlay=overlay(tmp_path, "box", {"word": "second"}))
    elsewhere = overlay(tmp_path, "box", None)
    completed = pair.paisctl("rollback", "--yes", "box", overlay=elsewhere)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert snapshot(pair, "box") == first


def test_drift_is_mended_on_the_way_back(pair: Rehearsal, tmp_path: Path) -> None:
    first = snapshot(pair, "box")
    apply(pair, "box", overlay=overlay(tmp_path, "box", {"word": "second"}))
    pair.root("box", "sh", "-c", f"echo edited >{ROOTS['box']}/stacks/canary/{WORD}")
    pair.root("box", "docker", "update", "--memory", "96m", "--memory-swap", "96m", CANARY)
    go_back(pair, "box")
    assert snapshot(pair, "box") == first
    assert pair.containers("box")[CANARY]["HostConfig"]["Memory"] == 32 * 2**20


def test_two_hosts_go_back_each_to_its_own(pair: Rehearsal, tmp_path: Path) -> None:
    apply(pair, "box", overlay=overlay(tmp_path, "box", {"word": "second"}))
    wanted = {device: snapshot(pair, device) for device in ROOTS}
    apply(pair, "box", overlay=overlay(tmp_path, "box", {"word": "third"}))
    apply(pair, "nas", overlay=overlay(tmp_path, "nas", {"word": "second"}))
    numbers = {device: generations(pair, device)[0]["number"] for device in ROOTS}
    assert numbers["box"] != numbers["nas"]
    said = go_back(pair, *ROOTS)
    for device, number in numbers.items():
        assert f"back to generation {number - 1}" in said
        assert snapshot(pair, device) == wanted[device]


def test_no_way_back_changes_nothing(pair: Rehearsal, tmp_path: Path) -> None:
    apply(pair, "box", overlay=overlay(tmp_path, "box", {"word": "second"}))
    before, ids = snapshot(pair, "box"), pair.container_ids()
    number = generations(pair, "box")[0]["number"]
    gone = pair.paisctl("rollback", "--yes", "box", "--to", "99999")
    assert (gone.returncode, f"kept are: {number - 1}" in gone.stdout) == (1, True)
    kept = f"{ROOTS['box']}/generations/kept/canary"
    pair.root("box", "mv", kept, "/root/kept")
    lost = pair.paisctl("rollback", "--yes", "box")
    pair.root("box", "mv", "/root/kept", kept)
    assert lost.returncode == 1
    assert f"no way back to generation {number - 1}: kept files are missing: canary" in lost.stdout
    assert (snapshot(pair, "box"), pair.container_ids()) == (before, ids)
