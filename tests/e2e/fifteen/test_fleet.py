"""A whole fleet as its days go: fifteen hosts, their engines and files read past paisctl."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from tests.e2e.faults.harness.host import Host, wait_until
from tests.e2e.fifteen.conftest import FirstDeploy
from tests.e2e.fifteen.machines import EXPORTER, Machines, Seen, moment
from tests.e2e.rehearsal import SshdCounts, run
from tests.e2e.scenario import apply

ONE_LOOK = SshdCounts(connections=1, executions=1)
# What redis alone can tell is wrong, once it starts.
TYPO = {"redis-cache": {"policy": "allkeys-lur"}}

EXPORTERS = (
    *("dgx-1", "dgx-2", "k6", "m7-1", "m7-2", "ai-max"),
    *("rpi5-1", "rpi5-2", "rpi5-3", "jetson-1", "jetson-2", "jetson-3", "nas"),
)
# A Compose project with the settings that are wanted, but in a folder of somebody's own.
BY_HAND = """
docker compose -p node-exporter down
mkdir -p /srv && mv {root}/stacks/node-exporter /srv/node-exporter && rm {root}/manifest.json
cd /srv/node-exporter
sed -i '/paisctl[.]/d; /^ *labels:$/d; s#[.][.]/[.][.]/metrics#{root}/metrics#' compose.yaml
docker compose up -d
"""


def overlay(
    folder: Path, memory: int, stacks: Mapping[str, Any] = MappingProxyType({}), asleep: str = ""
) -> Path:
    """A memory limit, in MiB, for every node exporter, what else is to change, and who may sleep."""
    path = folder / f"{memory}.yaml"
    change = {
        "stacks": {"node-exporter": {"memory": f"{memory}m"}, **stacks},
        "devices": {device: {"required": False} for device in asleep.split()},
    }
    path.write_text(yaml.safe_dump(change), "utf-8")
    return path


def exporter_memories(seen: dict[str, Seen]) -> dict[str, int]:
    """The memory limits of node exporters in MiB, by device, where there is one."""
    return {device: limit for device, each in seen.items() if (limit := each.exporter_memory)}


def assert_the_same(before: dict[str, Seen], after: dict[str, Seen], but: str = "") -> None:
    """Nothing was done on hosts: no other container, file or run."""
    for device in before.keys() - {but}:
        assert after[device].is_the_same == before[device].is_the_same, device


def test_the_first_deploy_starts_all_that_is_wanted_and_nodes_one_after_the_other(
    bare: Machines, first_deploy: FirstDeploy
) -> None:
    assert len(bare.lab.devices) == 15
    assert first_deploy.completed.returncode == 0, first_deploy.completed.stderr
    assert first_deploy.completed.stdout.endswith("\nDone: 22 stacks applied on 14 hosts.\n")

    running = {device: each.containers for device, each in first_deploy.seen.items()}
    for device, found in running.items():
        stacks = bare.hosts[device].stacks.values()
        assert set(found) == {f"{s.name}-{service}-1" for s in stacks for service in s.services}
    models = running["k6"]["embeddings-models-1"]["State"]  # they are fetched, once
    assert (models["Status"], models["ExitCode"]) == ("exited", 0)
    states = {
        (device, name): container["State"]["Health"]["Status"]
        for device, found in running.items()
        for name, container in found.items()
        if name != "embeddings-models-1"
    }
    assert set(states.values()) == {"healthy"}, states

    nodes = [running[node]["qdrant-qdrant-1"] for node in ("k6", "m7-1", "m7-2")]
    for earlier, later in pairwise(nodes):
        assert moment(earlier["State"]["StartedAt"]) < moment(later["Created"])
    assert {count.connections for count in first_deploy.logins.values()} == {1}
    wait_until(lambda: scraped(bare) == set(EXPORTERS), "Prometheus to see all node exporters")


def scraped(machines: Machines) -> set[str]:
    """The devices from which Prometheus gets the metrics of the machine."""
    address = machines.lab.lab.host("mac-mini").address
    url = f"http://{address}:9090/api/v1/targets?state=active"
    said = machines.sh("mac-mini", f"busybox wget -q -O - '{url}'")
    return {
        target["labels"]["instance"]
        for target in json.loads(said)["data"]["activeTargets"]
        if target["labels"]["job"] == "node-exporter" and target["health"] == "up"
    }


def test_a_second_plan_and_apply_find_nothing_and_touch_nothing(machines: Machines) -> None:
    status = machines.lab.paisctl("status").stdout
    assert status.endswith("\n23 services: 23 well, 0 not as wanted\n")
    assert max(map(len, status.splitlines()[:24])) <= 80
    before = machines.look()
    for command in (("plan", "--detailed-exitcode"), ("apply", "--yes")):
        completed = machines.lab.paisctl(*command)
        assert completed.returncode == 0, completed.stdout + completed.stderr
        assert completed.stdout == "Nothing to do: 15 hosts as wanted.\n"
        after = machines.look()
        assert {d: after[d].logins - before[d].logins for d in before} == dict.fromkeys(
            before, ONE_LOOK
        )
        assert_the_same(before, after)
        before = after


def test_what_one_dead_host_misses_all_others_get(machines: Machines, tmp_path: Path) -> None:
    dead, change = "rpi5-2", overlay(tmp_path, 80)
    before = machines.look()
    host = Host(machines.lab, dead)
    host.lose_power()
    try:
        planned = machines.lab.paisctl("plan", "--detailed-exitcode", overlay=change)
        applied = machines.lab.paisctl("apply", "--yes", overlay=change)
        others = machines.look(but=[dead])
    finally:
        host.power_on()

    assert planned.returncode == 4, planned.stdout + planned.stderr
    assert applied.returncode == 1, applied.stdout + applied.stderr
    assert exporter_memories(others) == {d: 80 for d in EXPORTERS if d != dead}
    report = applied.stdout.partition("\nPlan: ")[2]
    assert f"? {dead}  could not be planned" in report
    assert f"    next: paisctl plan {dead}\n" in report
    assert report.endswith("Not done: of 12 stacks, 12 applied; 1 host could not be planned.\n")

    # It is back as it was, and gets what it missed; nobody else is touched again.
    assert machines.look()[dead].ids == before[dead].ids
    assert apply(machines.lab, overlay=change).endswith("\nDone: 1 stack applied on 1 host.\n")
    after = machines.look()
    assert exporter_memories(after)[dead] == 80
    assert_the_same(others, after)


def test_when_the_canary_fails_nobody_else_is_touched(machines: Machines, tmp_path: Path) -> None:
    canary, redis = "k6", "redis-cache-redis-1"
    before = machines.look()

    change = overlay(tmp_path, 96, TYPO)
    completed = machines.lab.paisctl("apply", "--yes", "--canary", canary, overlay=change)

    told = machines.lab.paisctl("status").stdout
    machines.wait_for_health()
    after = machines.look()
    for device in before.keys() - {canary}:
        assert after[device].ids == before[device].ids, device
        assert after[device].files == before[device].files, device
        if after[device].exporter_memory:
            assert after[device].log[-1]["outcome"] == "stopped"
    # On the canary only the stack that failed was touched, and it is as before.
    was, now = before[canary].containers.pop(redis), after[canary].containers.pop(redis)
    assert after[canary].ids == before[canary].ids
    labels = [each["Config"]["Labels"]["paisctl.digest"] for each in (was, now)]
    assert labels[0] == labels[1]
    assert now["State"]["Health"]["Status"] == "healthy"
    assert completed.returncode == 1, completed.stdout + completed.stderr
    report = completed.stdout.partition("\nPlan: ")[2]
    assert "Order: k6 first (canary), then 12 hosts together.\n" in report
    assert "✗ k6/compose:redis-cache  rolled back to generation" in report
    assert "    next: mend the cause, then paisctl apply k6 --stack redis-cache\n" in report
    assert "  12 stacks skipped\n    the canary k6 failed\n" in report
    assert told.count("  the last run was stopped before it was done: node-exporter skipped\n") == 1
    assert apply(machines.lab).startswith("Nothing to do: 15 hosts as wanted.")


def test_a_slow_host_keeps_nobody_waiting(machines: Machines, tmp_path: Path) -> None:
    """By the clock of the hosts, which is one. Only for their locks all hosts wait for one another."""
    slow = "jetson-2"
    machines.limit_processor(slow, 0.04)
    try:
        apply(machines.lab, overlay=overlay(tmp_path, 112))
    finally:
        machines.limit_processor(slow, None)
    seen = machines.look()
    assert exporter_memories(seen) == dict.fromkeys(EXPORTERS, 112)
    others = [seen[device].ended for device in EXPORTERS if device != slow]
    assert max(others) + timedelta(seconds=5) < seen[slow].ended
    begun = moment(seen[slow].containers[EXPORTER]["State"]["StartedAt"])
    started = [moment(seen[d].containers[EXPORTER]["State"]["StartedAt"]) for d in EXPORTERS]
    assert max(started) == begun


def test_what_was_made_by_hand_on_one_host_is_adopted_as_it_runs(machines: Machines) -> None:
    device = "ai-max"
    root = machines.root(device)
    machines.sh(device, BY_HAND.format(root=root))
    before = machines.look()

    refused = machines.lab.paisctl("plan", "--detailed-exitcode")
    assert refused.returncode == 4
    assert f"hint: take it over as it runs: paisctl adopt {device} node-exporter" in refused.stdout
    assert refused.stdout.endswith("Nothing to do: 14 hosts as wanted; 1 stack refused.\n")
    adopted = machines.lab.paisctl("adopt", device, "node-exporter", "--yes")
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr

    assert apply(machines.lab) == "Nothing to do: 15 hosts as wanted.\n"
    after = machines.look()
    assert after[device].ids == before[device].ids
    manifest = json.loads(machines.sh(device, f"cat {root}/manifest.json"))
    assert {*manifest["stacks"]["node-exporter"]["adopted"]} == {after[device].ids[EXPORTER]}
    assert_the_same(before, after, but=device)


@contextmanager
def asleep(machines: Machines, devices: list[str]) -> Iterator[None]:
    """Let hosts sleep: of the first, something still takes connections in its place."""
    paused = machines.names[devices[0]]
    assert run("docker", "pause", paused).returncode == 0
    for device in devices[1:]:
        Host(machines.lab, device).lose_power()
    try:
        yield
    finally:
        run("docker", "unpause", paused)
        Host(machines.lab, devices[1]).power_on()


def owed_since(machines: Machines, device: str) -> dict[str, str]:
    """Since when which devices owe something, as a host remembers it."""
    said = machines.sh(device, f"cd {machines.root(device)}/fleet && cat *.json")
    records = [json.loads(line) for line in said.replace("}{", "}\n{").splitlines()]
    return {record["device"]: record["owed_since"] for record in records}


def test_what_three_that_sleep_owe_is_told_and_they_get_it_once_awake(
    machines: Machines, tmp_path: Path
) -> None:
    sleepers = ["rpi5-1", "rpi5-3", "jetson-3"]
    names = " ".join(sleepers)
    assert apply(machines.lab, overlay=overlay(tmp_path, 64, asleep=names)).startswith("Nothing")
    before, change = machines.look(), overlay(tmp_path, 88, asleep=names)
    awake = [device for device in before if device not in sleepers]

    with asleep(machines, sleepers):
        planned = machines.lab.paisctl("plan", "--detailed-exitcode", overlay=change)
        applied = machines.lab.paisctl("apply", "--yes", overlay=change)
        given = machines.look(but=sleepers)
        again = machines.lab.paisctl("apply", "--yes", overlay=change)
        status = machines.lab.paisctl("status", overlay=change)
        assert_the_same(given, machines.look(but=sleepers))
        notes = [owed_since(machines, device) for device in awake]

    assert planned.returncode == 2, planned.stdout + planned.stderr
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert exporter_memories(given) == {d: 88 for d in EXPORTERS if d not in sleepers}
    assert applied.stdout.endswith("\nDone: 10 stacks applied on 10 hosts; 3 hosts asleep.\n")
    assert again.stdout.endswith("\nNothing to do: 12 hosts as wanted; 3 hosts asleep.\n")
    for said in (planned, applied, again, status):
        for device in sleepers:
            assert f"z {device}  asleep: " in said.stdout
        assert said.stdout.count("    owes node-exporter (changed)") == 3
    assert (again.returncode, status.returncode) == (0, 0)
    assert all(note == notes[0] for note in notes)
    assert set(notes[0]) == set(sleepers)
    assert all(notes[0].values())

    # They are back as they were; nobody else is touched again.
    woken = machines.look(but=awake)
    assert {d: woken[d].ids for d in woken} == {d: before[d].ids for d in sleepers}
    assert apply(machines.lab, overlay=change).endswith("\nDone: 3 stacks applied on 3 hosts.\n")
    after = machines.look()
    assert exporter_memories(after) == dict.fromkeys(EXPORTERS, 88)
    for device in awake:
        assert after[device].ids == given[device].ids
        assert not any(owed_since(machines, device).values())
