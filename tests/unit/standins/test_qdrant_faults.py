from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standin_cluster import StandinCluster, standin_cluster

from .processes import eventually


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[StandinCluster]:
    with standin_cluster(tmp_path, version="1.18.3") as made:
        made.create_collection("documents")
        yield made


def test_a_node_dies_at_start_from_a_version_on(cluster: StandinCluster) -> None:
    node = cluster.nodes[0]
    node.set_faults(dies_at_start={"from": "1.19.0"})
    node.restart()
    node.stop()
    node.version = "1.19.0"
    node.start()
    assert node.program.exit_status() == 101
    # Its storage was not touched: the old version may come back.
    node.restart(version="1.18.3")
    cluster.settle()


def test_a_node_that_dies_after_it_touched_its_storage_cannot_go_back(
    cluster: StandinCluster,
) -> None:
    node = cluster.nodes[0]
    node.stop()
    node.set_faults(dies_at_start={"from": "1.19.0", "touched": True})
    node.version = "1.19.0"
    node.start()
    assert node.program.exit_status() == 101
    node.version = "1.18.3"
    node.start()
    assert node.program.exit_status() == 101
    assert "Data version 1.19.0 is newer than application version 1.18.3" in node.program.log()
    node.set_faults()
    node.restart(version="1.19.0")
    cluster.settle()


def test_a_node_that_always_dies(cluster: StandinCluster) -> None:
    node = cluster.nodes[0]
    node.stop()
    node.set_faults(dies_at_start=True)
    node.start()
    assert node.program.exit_status() == 101


def test_a_slow_node_is_not_ready_for_a_while(cluster: StandinCluster) -> None:
    node = cluster.nodes[1]
    node.stop()
    node.set_faults(ready_seconds=0.6)
    node.start()
    eventually(lambda: node.get("/healthz").status_code == 200)
    assert node.get("/readyz").status_code == 503
    eventually(lambda: node.get("/readyz").status_code == 200)


def test_replicas_stay_dead_while_they_are_told_to(cluster: StandinCluster) -> None:
    node, other = cluster.nodes[1], cluster.nodes[0]
    node.set_faults(dead_replicas=True)

    def states() -> set[str]:
        view = other.result("GET", "/collections/documents/cluster")
        return {s["state"] for s in view["remote_shards"] if s["peer_id"] == node.peer_id}

    eventually(lambda: states() == {"Dead"})
    cluster.upsert("documents", range(30))
    assert states() == {"Dead"}
    node.set_faults()
    cluster.settle()
    assert states() == {"Active"}
    assert node.count("documents") == 30


def test_a_leader_whose_consensus_has_stopped_is_replaced(cluster: StandinCluster) -> None:
    leader = cluster.leader()
    leader.set_faults(consensus_stopped="no space left on device")
    others = [node for node in cluster.nodes if node is not leader]
    eventually(lambda: any(n.cluster()["raft_info"]["role"] == "Leader" for n in others))
    status = leader.cluster()["consensus_thread_status"]
    assert status == {
        "consensus_thread_status": "stopped_with_err",
        "err": "no space left on device",
    }
    assert 'cluster_working_state{state="stopped"} 1' in leader.get("/metrics").text
    cluster.upsert("documents", range(20))
    leader.set_faults()
    cluster.settle()
    assert leader.count("documents") == 20


def test_answers_are_altered_as_told(cluster: StandinCluster) -> None:
    node = cluster.nodes[0]
    node.set_faults(
        answers={
            "/cluster": {"raft_info": {"pending_operations": 3, "term": 99, "leader": None}},
            "/collections/documents": {"status": "red", "optimizer_status": {"error": "disk"}},
        }
    )
    raft = node.cluster()["raft_info"]
    assert (raft["pending_operations"], raft["term"], raft["leader"]) == (3, 99, None)
    assert raft["is_voter"] is True
    info = node.result("GET", "/collections/documents")
    assert (info["status"], info["optimizer_status"]) == ("red", {"error": "disk"})
    assert cluster.nodes[1].cluster()["raft_info"]["term"] != 99
    node.set_faults()
    cluster.settle()


def test_a_snapshot_gets_a_checksum_that_is_not_its_own(cluster: StandinCluster) -> None:
    node, root = cluster.nodes[0], "/collections/documents/snapshots"
    node.set_faults(wrong_checksum=True)
    description = node.result("POST", root)
    content = node.get(f"{root}/{description['name']}").content
    assert hashlib.sha256(content).hexdigest() != description["checksum"]
