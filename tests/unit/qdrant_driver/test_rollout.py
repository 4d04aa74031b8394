"""The driver on three processes, as a rollout calls it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from paisctl.cluster.driver import Task
from paisctl.errors import PaisctlError
from qdrant_driver.replicate import Copy, copy
from tests.unit.qdrant_driver.members import Lab, MemoryJournal, lab, passes
from tests.unit.standins.processes import eventually

UPGRADE = Task("v1.19.0")
POINTS = range(40)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path) as three:
        three.cluster.create_collection("documents", write_consistency_factor=2)
        three.cluster.upsert("documents", POINTS)
        three.cluster.settle()
        yield three


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("shared")) as three:
        yield three


@pytest.fixture
def calm(shared: Lab) -> Iterator[Lab]:
    """A cluster that is left as it was found; it has `documents` only."""
    shared.cluster.create_collection("documents", write_consistency_factor=2)
    yield replace(shared, journal=MemoryJournal(), said=[])
    for node in shared.cluster.nodes:
        node.set_faults()
    for name in shared.nodes.answering().shards:
        shared.cluster["k6"].result("DELETE", f"/collections/{name}")


def factor(three: Lab) -> int:
    view = three.nodes.answering(collections=True)
    return view.collections["documents"].write_consistency_factor


def test_a_whole_rollout(running: Lab) -> None:
    driver, cluster = running.driver, running.cluster
    assert driver.preflight(UPGRADE) == []
    driver.prepare(UPGRADE, running.journal, running.say)
    assert factor(running) == 1
    remaining, leader = ["k6", "m7-1", "m7-2"], cluster.leader().name
    while remaining:
        device = driver.order(remaining)[0]
        remaining.remove(device)
        assert driver.before(device, UPGRADE) == []
        cluster[device].restart("1.19.0")
        for name, ask in driver.gates(device, UPGRADE).items():
            answer = passes(ask)
            assert answer.passed, (device, name, answer.said)
    assert device == leader
    assert driver.finish(UPGRADE, running.journal, running.say) == []
    assert factor(running) == 2
    assert cluster["k6"].count("documents") == len(POINTS)


def test_snapshots_are_made_once_and_verified(running: Lab) -> None:
    running.driver.prepare(UPGRADE, running.journal, running.say)
    kept = running.journal.get("snapshots")
    assert set(kept) == {"k6", "m7-1", "m7-2"}
    entry = kept["m7-1"]["documents"]
    assert entry["version"] == "1.18.3"
    file = running.cluster["m7-1"].snapshots / "documents" / entry["name"]
    assert file.stat().st_size == entry["size"]
    assert running.journal.get("metadata")["k6"]["collections"]["documents"]["cluster"]
    running.cluster.settle()  # the others know the factor that was lowered
    running.cluster["k6"].kill()
    running.driver.prepare(UPGRADE, running.journal, running.say)  # nobody is missed
    assert running.journal.get("snapshots") == kept


def test_a_damaged_snapshot_stops_before_anything_is_changed(calm: Lab) -> None:
    calm.cluster["m7-2"].set_faults(wrong_checksum=True)
    with pytest.raises(PaisctlError, match=r"m7-2: snapshot .* of documents is damaged"):
        calm.driver.prepare(UPGRADE, calm.journal, calm.say)
    assert factor(calm) == 2
    assert set(calm.journal.get("snapshots")) == {"k6", "m7-1"}


def test_what_somebody_else_has_set_meanwhile_stays(calm: Lab) -> None:
    task = Task("v1.19.0", takes_snapshots=False)
    calm.cluster.create_collection("other", write_consistency_factor=3)
    calm.driver.prepare(task, calm.journal, calm.say)
    assert calm.journal.get("write_consistency")["other"] == {"was": 3, "set": 1}
    change = {"params": {"write_consistency_factor": 4}}
    calm.cluster["k6"].result("PATCH", "/collections/other", change)
    calm.cluster["k6"].result("DELETE", "/collections/documents")
    assert calm.driver.finish(task, calm.journal, calm.say) == []
    assert "other: somebody has set its write consistency factor to 4; it stays so" in calm.said
    assert any("documents has gone" in text for text in calm.said)


def test_a_factor_that_was_recorded_but_not_set_yet_needs_no_putting_back(calm: Lab) -> None:
    calm.journal.keep("write_consistency", {"documents": {"was": 2, "set": 1}})
    assert calm.driver.finish(UPGRADE, calm.journal, calm.say) == []
    assert (factor(calm), calm.said) == (2, [])


def test_what_cannot_be_put_back_is_said_and_kept(running: Lab) -> None:
    running.driver.prepare(UPGRADE, running.journal, running.say)
    for node in running.cluster.nodes:
        node.kill()
    [obstacle] = running.driver.finish(UPGRADE, running.journal, running.say)
    assert "documents: its write consistency factor is not 2 again" in obstacle.what
    assert running.journal.get("write_consistency")


def test_a_factor_is_not_put_back_while_it_would_refuse_writes(running: Lab) -> None:
    running.driver.prepare(UPGRADE, running.journal, running.say)
    running.cluster["m7-1"].kill()
    [obstacle] = running.driver.finish(UPGRADE, running.journal, running.say)
    assert "is not 2 again: it would refuse writes, for m7-1" in obstacle.what
    assert factor(running) == 1
    running.cluster["m7-1"].start_and_wait()
    assert running.driver.finish(UPGRADE, running.journal, running.say) == []
    assert factor(running) == 2


def test_a_factor_of_all_three_replicas_and_of_a_new_collection_is_lowered(running: Lab) -> None:
    running.driver.prepare(UPGRADE, running.journal, running.say)
    running.cluster.create_collection("later", replication_factor=3, write_consistency_factor=3)
    running.driver.prepare(UPGRADE, running.journal, running.say)
    view = running.nodes.answering(collections=True)
    assert view.collections["later"].write_consistency_factor == 2
    assert running.driver.finish(UPGRADE, running.journal, running.say) == []
    view = running.nodes.answering(collections=True)
    assert view.collections["later"].write_consistency_factor == 3


def test_shards_with_one_replica_get_a_second_one(calm: Lab) -> None:
    calm.cluster.create_collection("single", replication_factor=1)
    calm.cluster.upsert("single", POINTS)
    [obstacle] = calm.driver.preflight(UPGRADE)
    assert "single: shard 0, 1, 2 has no second replica" in obstacle.what
    assert obstacle.hint == "--replicate-first, or --accept-downtime single"
    assert calm.driver.preflight(Task("v1.19.0", accept_downtime=frozenset({"single"}))) == []
    task = Task("v1.19.0", replicate_first=True, takes_snapshots=False)
    assert calm.driver.preflight(task) == []
    calm.driver.prepare(task, calm.journal, calm.say)
    assert calm.driver.preflight(UPGRADE) == []
    view = calm.nodes.answering(collections=True)
    assert view.collections["single"].replication_factor == 2
    assert calm.driver.before("k6", UPGRADE) == []


def test_a_node_that_is_down_is_an_obstacle_unless_it_may_be(running: Lab) -> None:
    running.cluster["m7-1"].kill()
    found = running.driver.preflight(UPGRADE)
    assert any(each.device == "m7-1" and "nothing answers" in each.what for each in found)
    assert running.driver.preflight(UPGRADE, {"m7-1"}) == []
    assert any(each.device == "m7-1" for each in running.driver.before("k6", UPGRADE))
    assert running.driver.before("m7-1", UPGRADE) == []


def test_an_interrupted_upgrade_may_go_on(running: Lab) -> None:
    running.cluster["m7-1"].restart("1.19.0")
    running.cluster.settle()
    assert running.driver.preflight(UPGRADE) == []
    [obstacle] = running.driver.preflight(Task("v1.19.0", is_restart=True))
    assert "different versions: k6 1.18.3, m7-1 1.19.0, m7-2 1.18.3" in obstacle.what


def test_a_gate_says_what_it_waits_for(running: Lab) -> None:
    gates = running.driver.gates("m7-1", UPGRADE)
    assert gates["version"]().said == "runs 1.18.3"
    running.cluster["m7-1"].set_faults(dead_replicas=True)
    running.cluster.upsert("documents", POINTS)
    eventually(lambda: "replicas on m7-1 are Dead (documents)" in gates["replicas"]().said)
    running.cluster["m7-1"].kill()
    with pytest.raises(PaisctlError, match="nothing answers"):
        gates["version"]()
    assert "m7-1: nothing answers" in gates["replicas"]().said
    assert "m7-1: nothing answers" in gates["cluster"]().said


def test_a_node_is_emptied_and_filled_again(running: Lab) -> None:
    journal, device = MemoryJournal(), "m7-1"
    node = running.cluster[device]
    before = node.result("GET", "/collections/documents/cluster")["local_shards"]
    old = node.peer_id
    node.kill()
    running.driver.dismiss(device, journal, running.say)
    running.driver.dismiss(device, journal, running.say)  # broke off, and again
    assert running.driver.preflight(Task("v1.18.3"), {device}) == []
    assert running.driver.before(device, Task("v1.18.3")) == []
    assert running.driver.before("k6", Task("v1.18.3")) != []
    [aside] = [each for each in node.storage.iterdir() if each.name.startswith("aside-")]
    assert (aside / "raft_state.json").exists()
    node.start_and_wait()
    running.driver.refill(device, journal, running.say)
    running.driver.refill(device, journal, running.say)
    after = node.result("GET", "/collections/documents/cluster")["local_shards"]
    assert node.peer_id != old
    assert after == before
    for name, ask in running.driver.gates(device, Task("v1.18.3")).items():
        answer = passes(ask)
        assert answer.passed, (name, answer.said)
    assert f"/qdrant/storage/{aside.name}" in running.said[-1]


def test_a_node_with_the_only_copy_is_not_emptied(running: Lab) -> None:
    running.cluster.create_collection("single", replication_factor=1)
    running.cluster["m7-1"].kill()
    with pytest.raises(PaisctlError, match=r"m7-1 must not be emptied: .* of single"):
        running.driver.dismiss("m7-1", running.journal, running.say)
    assert (running.cluster["m7-1"].storage / "raft_state.json").exists()
    assert running.journal.get("rebuilt") is None


def test_a_copy_that_does_not_go_on_is_given_up(calm: Lab) -> None:
    calm.cluster.create_collection("single", replication_factor=1)
    view = calm.nodes.look().nodes["k6"].shards["single"].by_shard[0]
    strange = Copy("single", 0, view[0].peer_id, 12345, "snapshot")  # there is no such peer
    ticks = itertools.count(0.0, 300.0)
    nodes = replace(calm.nodes, clock=lambda: next(ticks))
    with pytest.raises(PaisctlError, match=r"does not go on: .*12345"):
        copy(nodes, strange, calm.say)
