"""The laptop dies while it applies: the host finishes or goes back by itself, as one whole."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.faults.harness.canary import Version, check_survival, look, new_version, put_data
from tests.e2e.faults.harness.controller import Controller
from tests.e2e.faults.harness.host import Host
from tests.e2e.faults.harness.trial import COMPOSE, check_recovery
from tests.e2e.rehearsal import Rehearsal

# What is printed where one stage ends and the next begins.
STAGES = [
    "read 1 host",
    "box/canary: check",
    "box/canary: install settings/reload.conf",
    "box/canary: recreate canary",
    "box/canary: wait for canary",
    "box/canary: gate it breathes",
    "box/canary: keep generation",
    "box/canary: applied",
]
RUNS = 17  # on each of three hosts
SEED = 20261122
ROUND = 8  # kills until the host is brought to order once


def start(host: Host, version: Version) -> Controller:
    return Controller(host.lab, "apply", "--yes", host.device, overlay=version.overlay)


@pytest.mark.parametrize("stage", STAGES)
def test_it_can_be_killed_at_every_stage(box: Host, tmp_path: Path, stage: str) -> None:
    before, wanted = look(box), new_version(tmp_path)
    with start(box, wanted) as controller:
        assert controller.wait_for(stage), controller.said
        controller.kill()
    left = check_recovery(box, before, wanted)
    assert left.word in {before.word, wanted.word}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_lets_the_host_finish_what_it_is_in(
    box: Host, tmp_path: Path, number: int
) -> None:
    before, wanted = look(box), new_version(tmp_path)
    with start(box, wanted) as controller:
        assert controller.wait_for("box/canary: recreate"), controller.said
        controller.kill(number)
        assert controller.end() == 130
    assert "Traceback" not in controller.said
    assert "paisctl plan" in controller.said
    left = check_recovery(box, before, wanted)
    assert left.word == wanted.word


def test_what_was_not_begun_is_left_and_said_to_be(box: Host, tmp_path: Path) -> None:
    """Two stacks change; the laptop dies in the first."""
    before = look(box)
    wanted = new_version(tmp_path).over({}, {"node-exporter": {"memory": "71m"}})
    with start(box, wanted) as controller:
        assert controller.wait_for("box/node-exporter: recreate"), controller.said
        controller.kill()
    box.wait_until_idle()
    exporter_now = box.lab.containers("box")["node-exporter-node-exporter-1"]
    assert exporter_now["HostConfig"]["Memory"] == 71 * 1024 * 1024
    assert look(box).word == before.word
    status = box.lab.paisctl("status", "box", overlay=wanted.overlay)
    assert "stopped" in status.stdout
    check_recovery(box, before, wanted)


def test_it_can_be_killed_at_any_moment(lab: Rehearsal, tmp_path: Path) -> None:
    """Three hosts at once, since most of the time is spent waiting for one."""
    hosts = [Host(lab, device) for device in lab.devices]
    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda host: list(kill_and_check(host, tmp_path)), hosts))
    assert [len(moments) for moments in runs] == [RUNS, RUNS, RUNS]


def kill_and_check(host: Host, folder: Path) -> Iterator[float]:
    """Kill one apply after the other, and repair what is left now and then; yields the moments."""
    folder = folder / host.device
    folder.mkdir()
    chance = random.Random(f"{SEED} {host.device}")  # noqa: S311 # any moments will do
    duration = bring_to_order(host, new_version(folder))
    put_data(host)
    before, tried = look(host), set[str]()
    for number in range(1, RUNS + 1):
        wanted = new_version(folder)
        tried |= {before.word, wanted.word}
        moment = chance.uniform(0, duration)
        with start(host, wanted) as controller:
            time.sleep(moment)
            controller.kill()
        host.wait_until_idle()
        left = look(host)
        check_survival(before, left, tried)
        assert left.word, f"half applied after {moment:.2f} s: {left}"
        if number % ROUND == 0:
            check_plan(host, wanted)
            bring_to_order(host, wanted)
        before = look(host)
        yield moment


def check_plan(host: Host, wanted: Version) -> None:
    """As `check_truth`, by a process of its own: two hosts are looked at at once."""
    with Controller(host.lab, "plan", "--json", host.device, overlay=wanted.overlay) as controller:
        assert controller.end() == 0, controller.said
    document = json.loads(controller.said[controller.said.index("{") :])
    stacks = [stack for planned in document["hosts"] for stack in planned["stacks"]]
    subjects = {change["subject"] for stack in stacks for change in stack["changes"]}
    assert subjects - {COMPOSE} == look(host).differences(wanted.word)


def bring_to_order(host: Host, wanted: Version) -> float:
    """Apply and let it end; returns how many seconds it took."""
    began = time.monotonic()
    with start(host, wanted) as controller:
        assert controller.end() == 0, controller.said
    duration = time.monotonic() - began
    assert look(host).word == wanted.word
    assert host.sh(f"ls -A {host.root}/staging 2>/dev/null; true") == ""
    return duration
