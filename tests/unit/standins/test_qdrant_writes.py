from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standin_cluster import StandinCluster, StandinNode, standin_cluster

from .load import load_on
from .processes import eventually


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[StandinCluster]:
    with standin_cluster(tmp_path) as made:
        made.create_collection("documents")
        yield made


def states_of(node: StandinNode, peer: int) -> set[str]:
    """The states of the replicas of `peer`, as `node` sees them."""
    view = node.result("GET", "/collections/documents/cluster")
    local = {s["state"] for s in view["local_shards"] if peer == view["peer_id"]}
    return local | {s["state"] for s in view["remote_shards"] if s["peer_id"] == peer}


def points_of(cluster: StandinCluster) -> dict[int, set[int]]:
    """By shard, how many points its replicas have."""
    counts: dict[int, set[int]] = {}
    for node in cluster.running:
        for shard in node.result("GET", "/collections/documents/cluster")["local_shards"]:
            counts.setdefault(shard["shard_id"], set()).add(shard["points_count"])
    return counts


def test_replicas_of_a_stopped_node_are_active_until_a_write_misses_them(
    cluster: StandinCluster,
) -> None:
    away, node = cluster.nodes[2], cluster.nodes[0]
    peer = away.peer_id
    away.stop()
    cluster.leader()
    assert states_of(node, peer) == {"Active"}
    cluster.upsert("documents", range(30))
    assert states_of(node, peer) == {"Dead"}
    eventually(lambda: states_of(cluster.nodes[1], peer) == {"Dead"})
    assert "collection_dead_replicas 2" in node.get("/metrics").text
    away.start_and_wait()
    cluster.settle()
    assert all(len(counts) == 1 for counts in points_of(cluster).values())
    assert [n.count("documents") for n in cluster.nodes] == [30, 30, 30]


def test_the_write_consistency_factor_decides_whether_one_replica_is_enough(
    cluster: StandinCluster,
) -> None:
    node, path = cluster.nodes[0], "/collections/documents"
    node.result("PATCH", path, {"params": {"write_consistency_factor": 2}})
    assert node.result("GET", path)["config"]["params"]["write_consistency_factor"] == 2
    peer = cluster.nodes[2].peer_id
    cluster.nodes[2].stop()
    cluster.leader()
    points = {"points": [{"id": i, "vector": [1, 2]} for i in range(30)]}
    refused = node.send("PUT", f"{path}/points", points)
    assert refused.status_code == 500
    assert re.search(
        "2 out of 3 shards failed to apply operation.*Failed peer",
        refused.json()["status"]["error"],
    )
    # A replica is not deactivated by a write that was not accepted.
    assert states_of(node, peer) == {"Active"}
    node.result("PATCH", path, {"params": {"write_consistency_factor": 1}})
    node.result("PUT", f"{path}/points", points)
    assert states_of(node, peer) == {"Dead"}


def test_the_last_active_replica_is_not_given_up(cluster: StandinCluster) -> None:
    node = cluster.nodes[0]
    node.result("DELETE", "/collections/documents")
    cluster.create_collection("documents", replication_factor=1)
    peer = cluster.nodes[1].peer_id
    cluster.nodes[1].stop()
    cluster.leader()
    points = {"points": [{"id": i, "vector": [1, 2]} for i in range(30)]}
    assert node.send("PUT", "/collections/documents/points", points).status_code == 500
    assert states_of(node, peer) == {"Active"}
    scrolled = node.send("POST", "/collections/documents/points/scroll", {})
    assert scrolled.status_code == 500
    assert "has no active replica" in scrolled.json()["status"]["error"]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_rolling_restart_under_load_fails_no_request_and_loses_no_point(
    cluster: StandinCluster, end: signal.Signals
) -> None:
    with load_on(cluster, "documents") as load:
        for node in [*cluster.followers(), cluster.leader()]:
            load.drain(node)
            node.program.stop(end)
            time.sleep(0.2)
            node.restart(version="1.20.0")
            cluster.settle()
            load.undrain()
    cluster.settle()
    assert load.failures == []
    assert len(load.acknowledged) > 100
    assert [load.missing_from(node) for node in cluster.nodes] == [set()] * 3
    assert all(len(counts) == 1 for counts in points_of(cluster).values())


def test_writes_go_on_during_a_recovery_and_reach_the_recovering_replica(
    cluster: StandinCluster,
) -> None:
    away = cluster.followers()[0]
    away.set_faults(recovery_seconds=1)
    with load_on(cluster, "documents") as load:
        load.drain(away)
        away.kill()
        eventually(lambda: "Dead" in states_of(cluster.leader(), away.peer_id))
        away.start()
        eventually(lambda: "Recovery" in states_of(cluster.leader(), away.peer_id))
        view = cluster.leader().result("GET", "/collections/documents/cluster")
        assert {(t["to"], t["sync"], t["method"]) for t in view["shard_transfers"]} == {
            (away.peer_id, True, "wal_delta")
        }
        assert away.get("/readyz").status_code == 503
        before = len(load.acknowledged)
        eventually(lambda: away.get("/readyz").status_code == 200)
        assert len(load.acknowledged) > before
    cluster.settle()
    assert load.failures == []
    assert [load.missing_from(node) for node in cluster.nodes] == [set()] * 3
    assert all(len(counts) == 1 for counts in points_of(cluster).values())


def test_a_node_killed_in_the_middle_of_its_recovery_recovers_all_the_same(
    cluster: StandinCluster,
) -> None:
    away = cluster.followers()[0]
    peer = away.peer_id
    away.stop()
    cluster.upsert("documents", range(100))
    away.set_faults(recovery_seconds=60)
    away.start()
    eventually(lambda: states_of(cluster.leader(), peer) == {"Recovery"})
    away.kill()
    cluster.upsert("documents", range(100, 200))
    assert states_of(cluster.leader(), peer) == {"Dead"}
    away.set_faults()
    away.start_and_wait()
    cluster.settle()
    assert all(len(counts) == 1 for counts in points_of(cluster).values())
    assert away.count("documents") == 200


def test_a_deleted_point_stays_deleted_on_a_replica_that_missed_it(
    cluster: StandinCluster,
) -> None:
    node, away = cluster.nodes[0], cluster.nodes[1]
    cluster.upsert("documents", range(30))
    away.stop()
    cluster.leader()
    path = "/collections/documents/points"
    node.result("POST", f"{path}/delete?wait=true", {"points": list(range(10))})
    away.start_and_wait()
    cluster.settle()
    assert [n.count("documents") for n in cluster.nodes] == [20, 20, 20]
    assert away.result("POST", path, {"ids": [3, 13]})[0]["id"] == 13
    cluster.upsert("documents", range(5))
    away.restart()
    assert away.count("documents") == 25


def test_a_node_whose_replicas_died_after_it_was_ready_stays_ready(
    cluster: StandinCluster,
) -> None:
    node = cluster.nodes[1]
    node.set_faults(dead_replicas=True)
    eventually(lambda: states_of(cluster.nodes[0], node.peer_id) == {"Dead"})
    assert node.get("/readyz").status_code == 200
    node.stop()
    node.start()
    eventually(lambda: node.get("/healthz").status_code == 200)
    assert node.get("/readyz").status_code == 503
    node.set_faults()
    eventually(lambda: node.get("/readyz").status_code == 200)
