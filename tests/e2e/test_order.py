"""Canaries and batches on real hosts: what was changed, and when, is read from their engines."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.rehearsal import PAISCTL, Rehearsal
from tests.e2e.scenario import Ids, apply

ROOTS = {
    "m7-2": "/opt/paisctl",
    "nas": "/volume1/docker/paisctl",
    "box": "/opt/paisctl",
}
DEVICES = tuple(ROOTS)  # in the order of the inventory
ONLY = (*DEVICES, "--stack", "canary")
NEW_WORD = "stacks: {{canary: {{word: {word}}}}}\napply: {apply}\n"
BROKEN = '{stacks: {canary: {pace: "1; echo cannot hold on >&2; exit 3; sleep 1"}}}'


@pytest.fixture
def three(fleet: Rehearsal) -> Iterator[Rehearsal]:
    """Three hosts with the same small stack, as the inventory wants it; so they are left, too."""
    apply(fleet, *ONLY)
    yield fleet
    apply(fleet, *ONLY)


def overlay(folder: Path, word: str, apply: str = "{}", broken: str = "") -> Path:
    """A change on all hosts, to be made as `apply` says, that fails on one of them."""
    text = NEW_WORD.format(word=word, apply=apply)
    path = folder / f"{word}.yaml"
    path.write_text(text + (f"devices: {{{broken}: {BROKEN}}}\n" if broken else ""))
    return path


def ids(fleet: Rehearsal) -> Ids:
    return {
        (device, name): container["Id"]
        for device in DEVICES
        for name, container in fleet.containers(device).items()
        if name == "canary-canary-1"
    }


def words(fleet: Rehearsal) -> dict[str, str]:
    """What stands in a file of the stack that its container was made with."""
    return {
        device: fleet.root(device, "cat", f"{root}/stacks/canary/recreate/recreate.conf")
        for device, root in ROOTS.items()
    }


def created(fleet: Rehearsal, device: str) -> datetime:
    text = fleet.containers(device)["canary-canary-1"]["Created"]
    return datetime.fromisoformat(f"{text[:19]}+00:00")


def last_run(fleet: Rehearsal, device: str) -> dict[str, str]:
    log = fleet.root(device, "tail", "-n", "1", f"{ROOTS[device]}/audit.log")
    entry: dict[str, str] = json.loads(log)
    return entry


def ended(fleet: Rehearsal, device: str) -> datetime:
    return datetime.fromisoformat(last_run(fleet, device)["time"])


def test_after_a_canary_that_fails_nothing_else_is_changed(
    three: Rehearsal, tmp_path: Path
) -> None:
    before, files = ids(three), words(three)

    change = overlay(tmp_path, "careful", broken="box")
    completed = three.paisctl("apply", "--yes", *ONLY, "--canary", "box", overlay=change)

    assert completed.returncode == 1, completed.stdout + completed.stderr
    assert "Order: box first (canary), then 2 hosts together.\n" in completed.stdout
    assert "✗ box/compose:canary  rolled back to generation" in completed.stdout
    assert "- m7-2, nas  2 stacks skipped\n    the canary box failed\n" in completed.stdout
    assert "batch 1 of 2: box\n" in completed.stderr
    assert "batch 2" not in completed.stderr
    after = ids(three)
    assert {key: after[key] for key in after if key[0] != "box"} == {
        key: before[key] for key in before if key[0] != "box"
    }
    assert words(three) == files
    assert last_run(three, "nas")["outcome"] == "stopped"
    for device, root in ROOTS.items():
        assert three.root(device, "ls", root).split().count("lock") == 0


def test_a_canary_that_somebody_changes_meanwhile_has_failed(
    three: Rehearsal, tmp_path: Path
) -> None:
    before = ids(three)
    file = f"{ROOTS['box']}/stacks/canary/recreate/recreate.conf"
    spoil = f"until grep -q spoiled {file}; do sleep 0.05; done; echo 'word = other' >{file}"
    three.root("box", "sh", "-c", f"({spoil}) >/dev/null 2>&1 &")

    change = overlay(tmp_path, "spoiled")
    completed = three.paisctl("apply", "--yes", *ONLY, "--canary", "box", overlay=change)

    assert completed.returncode == 1, completed.stdout + completed.stderr
    assert words(three)["box"] == "word = other\n"
    assert "- m7-2, nas  2 stacks skipped\n    the canary box failed\n" in completed.stdout
    after = ids(three)
    assert {device for device, name in after if after[device, name] != before[device, name]} == {
        "box"
    }


def test_one_host_at_a_time_with_a_pause_and_back_in_another_order(
    three: Rehearsal, tmp_path: Path
) -> None:
    pause = timedelta(seconds=4)
    change = overlay(tmp_path, "slowly", "{max_parallel: 1, pause: 4s, canary: [nas]}")

    completed = three.paisctl("apply", "--yes", *ONLY, overlay=change)

    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert "Order: nas first (canary), then 2 hosts one at a time, 4 s apart." in completed.stdout
    order = ("nas", "m7-2", "box")
    for first, second in pairwise(order):
        # Times are cut to whole seconds.
        assert created(three, second) - created(three, first) >= pause - timedelta(seconds=1)
        assert ended(three, first) <= created(three, second)
    before = ids(three)
    assert apply(three, *ONLY, overlay=change).startswith("Nothing to do")
    assert ids(three) == before

    back = overlay(tmp_path, "back", "{max_parallel: 1, canary: [box]}")
    completed = three.paisctl("rollback", "--yes", *ONLY, overlay=back)

    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert "Order: box first (canary), then 2 hosts one at a time.\n" in completed.stdout
    assert created(three, "box") <= created(three, "m7-2") <= created(three, "nas")
    assert set(words(three).values()) == {"word = first\n"}


def test_after_too_many_failures_nothing_more_begins(three: Rehearsal, tmp_path: Path) -> None:
    before = ids(three)
    change = overlay(tmp_path, "hasty", "{max_parallel: 1}", broken="m7-2")
    completed = three.paisctl("apply", "--yes", *ONLY, "--max-failures", "0", overlay=change)

    assert completed.returncode == 1, completed.stdout + completed.stderr
    assert "one at a time; stops at the first failed host." in completed.stdout
    why = "1 host has failed, more than --max-failures 0"
    assert f"- nas, box  2 stacks skipped\n    {why}\n" in completed.stdout
    after = ids(three)
    assert {device for device, name in after if after[device, name] != before[device, name]} <= {
        "m7-2"
    }

    change = overlay(tmp_path, "bold", "{max_parallel: 1, max_failures: 1}", broken="m7-2")
    completed = three.paisctl("apply", "--yes", *ONLY, overlay=change)

    assert completed.returncode == 1, completed.stdout + completed.stderr
    assert "Not done: of 3 stacks, 2 applied, 1 rolled back." in completed.stdout
    assert list(words(three).values()) == ["word = first\n", "word = bold\n", "word = bold\n"]


def test_an_interrupt_ends_a_pause(three: Rehearsal, tmp_path: Path) -> None:
    before = ids(three)
    files = [*three.inventories, overlay(tmp_path, "patient")]
    options = [part for path in files for part in ("-i", str(path))]
    order = ["--canary", "box", "--pause", "10m"]
    command = [str(PAISCTL), *options, "apply", "--yes", *ONLY, *order]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as running:
        assert running.stderr
        said = iter(running.stderr.readline, "")
        assert any(line == "batch 2 of 2 in 10 min: m7-2, nas\n" for line in said)
        running.send_signal(signal.SIGINT)
        stdout, _ = running.communicate(timeout=60)

    assert running.returncode == 130
    assert "box/compose:canary  applied and read back" in stdout
    assert "- m7-2, nas  2 stacks skipped\n    stopped before it began\n" in stdout
    after = ids(three)
    assert {device for device, name in after if after[device, name] != before[device, name]} == {
        "box"
    }
