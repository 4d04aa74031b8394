"""Rolling three nodes while clients write and read. Qdrant is a stand-in, HAProxy and Redis are real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from tests.e2e.faults.harness.controller import Controller
from tests.e2e.rehearsal import Rehearsal
from tests.e2e.rollouts.knowledge import COLLECTION, NODES, Knowledge, until
from tests.e2e.scenario import plan

NEXT = "v1.18.99"  # a version that nobody makes an image of
MANY = 4000  # requests: at the clients' pace of 260 a second, those of a quarter of a minute


def check_order(starts: dict[str, str], leader: str) -> None:
    """The leader was the last to be started."""
    assert max(starts, key=lambda node: starts[node]) == leader


def check_snapshot(knowledge: Knowledge, node: str) -> None:
    """There is one, and its file is whole."""
    [snapshot] = knowledge.ask(node, "GET", f"/collections/{COLLECTION}/snapshots")
    folder = f"/var/lib/docker/volumes/qdrant_snapshots/_data/{COLLECTION}"
    found = knowledge.lab.root(node, "sha256sum", f"{folder}/{snapshot['name']}")
    assert found.split()[0] == snapshot["checksum"]


def leader(knowledge: Knowledge) -> str:
    told = {node: knowledge.ask(node, "GET", "/cluster") for node in NODES}
    [found] = [n for n, each in told.items() if each["peer_id"] == each["raft_info"]["leader"]]
    return found


def test_no_read_no_write_and_no_point_is_lost(
    knowledge: Knowledge, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    knowledge.create(write_consistency_factor=2)
    there = knowledge.put(500)
    first_leader, before = leader(knowledge), knowledge.starts()
    overlay = knowledge.next_version(tmp_path)
    with knowledge.clients(tmp_path) as end:
        with Controller(knowledge.lab, "rollout", "knowledge", "--yes", overlay=overlay) as rolled:
            assert rolled.end() == 0, rolled.said
        load = end()
    record_property("requests a second", load.requests / load.seconds)
    assert load.failed == []
    assert load.requests >= MANY
    assert set(knowledge.versions().values()) == {knowledge.version}
    for node in NODES:
        assert there | set(load.acknowledged) <= knowledge.points(node)
    after = knowledge.starts()
    assert all(after[node] > before[node] for node in NODES)
    check_order(after, first_leader)
    assert knowledge.write_factor() == 2
    assert knowledge.drained() == set()
    assert plan(knowledge.lab, *NODES, "--stack", "qdrant", overlay=overlay) == []
    for node in NODES:
        check_snapshot(knowledge, node)
    again = knowledge.lab.paisctl("rollout", "knowledge", "--yes", overlay=overlay)
    assert (again.returncode, knowledge.starts()) == (0, after)
    assert "every member is as the inventory says" in again.stdout


def test_a_plain_apply_names_the_rollout_instead(knowledge: Knowledge, tmp_path: Path) -> None:
    before = knowledge.starts()
    overlay = knowledge.overlay(tmp_path, NEXT, has_image=False)
    refused = knowledge.lab.paisctl("apply", "--yes", "--stack", "qdrant", overlay=overlay)
    assert refused.returncode == 1
    assert "this would restart k6, m7-1 and m7-2 together" in refused.stdout
    assert "paisctl rollout knowledge" in refused.stdout
    assert knowledge.starts() == before


def test_a_dry_run_says_all_and_changes_nothing(knowledge: Knowledge, tmp_path: Path) -> None:
    knowledge.create(write_consistency_factor=2)
    before = knowledge.starts()
    overlay = knowledge.overlay(tmp_path, NEXT, has_image=False)
    told = knowledge.lab.paisctl("rollout", "knowledge", "--dry-run", overlay=overlay)
    assert told.returncode == 0, told.stdout + told.stderr
    assert f"→ {NEXT}" in told.stdout
    assert "drain in haproxy on mac-mini" in told.stdout
    assert (knowledge.starts(), knowledge.write_factor()) == (before, 2)
    assert knowledge.ask("k6", "GET", f"/collections/{COLLECTION}/snapshots") == []
    for node in NODES:
        listed = knowledge.lab.root(node, "sh", "-c", "ls /opt/paisctl/rollouts 2>/dev/null; true")
        assert listed == ""


def test_a_restart_restarts_all_without_a_change(knowledge: Knowledge, tmp_path: Path) -> None:
    knowledge.create()
    there = knowledge.put(50)
    first_leader, before = leader(knowledge), knowledge.starts()
    ids = knowledge.lab.container_ids()
    restart = ("rollout", "knowledge", "restart", "--yes", "--no-snapshot")
    other = knowledge.overlay(tmp_path, NEXT, has_image=False)
    refused = knowledge.lab.paisctl(*restart, overlay=other)
    assert (refused.returncode, knowledge.starts()) == (1, before)
    assert refused.stdout.count("the inventory has changes for it") == len(NODES)
    done = knowledge.lab.paisctl(*restart, overlay=knowledge.overlay(tmp_path, knowledge.version))
    assert done.returncode == 0, done.stdout + done.stderr
    after = knowledge.starts()
    assert all(after[node] > before[node] for node in NODES)
    check_order(after, first_leader)
    assert knowledge.lab.container_ids() == ids
    assert knowledge.points("k6") == there
    assert knowledge.ask("k6", "GET", f"/collections/{COLLECTION}/snapshots") == []


def test_to_writes_the_tag_into_the_inventory_and_leaves_the_rest(
    knowledge: Knowledge, tmp_path: Path
) -> None:
    old = knowledge.version
    text = f"# mine\nstacks:\n  qdrant:\n    images: {{qdrant: {{tag: {old}}}}} # one by one\n"
    mine = tmp_path / "mine.yaml"
    mine.write_text(text)
    knowledge.next_version(tmp_path)
    wanted = ("rollout", "knowledge", "--to", knowledge.version)
    dry = knowledge.lab.paisctl(*wanted, "--dry-run", overlay=mine)
    assert (dry.returncode, mine.read_text()) == (0, text)
    done = knowledge.lab.paisctl(*wanted, "--yes", overlay=mine)
    assert done.returncode == 0, done.stdout + done.stderr
    assert mine.read_text() == text.replace(old, knowledge.version)
    assert set(knowledge.versions().values()) == {knowledge.version}


def test_a_second_stack_is_rolled_by_the_gates_of_its_bundle(
    lab: Rehearsal, knowledge: Knowledge, tmp_path: Path
) -> None:
    assert knowledge
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"stacks": {"redis-cache": {"policy": "noeviction"}}}))
    containers = {
        node: lab.containers(node)["redis-cache-redis-1"]["Id"] for node in ("k6", "m7-1")
    }
    refused = lab.paisctl("apply", "--yes", "--stack", "redis-cache", overlay=overlay)
    assert "paisctl rollout cache" in refused.stdout
    done = lab.paisctl("rollout", "cache", "--yes", overlay=overlay)
    assert done.returncode == 0, done.stdout + done.stderr
    for node, id_ in containers.items():
        assert lab.containers(node)["redis-cache-redis-1"]["Id"] != id_
        look = (
            "docker",
            "exec",
            "redis-cache-redis-1",
            "redis-cli",
            "config",
            "get",
            "maxmemory-policy",
        )
        assert "noeviction" in lab.root(node, *look)
    until(lambda: plan(lab, "--stack", "redis-cache", overlay=overlay) == [])
