from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standin_cluster import COLLECTION, StandinCluster, StandinNode, standin_cluster

from .conftest import NodeFactory
from .processes import eventually

PATH = "/collections/documents/cluster"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[StandinCluster]:
    with standin_cluster(tmp_path) as made:
        made.create_collection("documents", replication_factor=1)
        made.upsert("documents", range(60))
        yield made


def holders(node: StandinNode, shard: int) -> dict[int, str]:
    """The states of the replicas of a shard, by peer."""
    view = node.result("GET", PATH)
    replicas = view["remote_shards"] + [
        {**local, "peer_id": view["peer_id"]} for local in view["local_shards"]
    ]
    return {r["peer_id"]: r["state"] for r in replicas if r["shard_id"] == shard}


def transfer_of(cluster: StandinCluster, shard: int) -> tuple[dict[str, int], StandinNode]:
    """A shard's way to a peer that has it not, and that peer's node."""
    [source] = holders(cluster.nodes[0], shard)
    target = next(node for node in cluster.nodes if node.peer_id != source)
    return {"shard_id": shard, "from_peer_id": source, "to_peer_id": target.peer_id}, target


def test_a_shard_is_replicated_and_a_replica_dropped(cluster: StandinCluster) -> None:
    node = cluster.nodes[0]
    wanted, target = transfer_of(cluster, 1)
    assert node.result("POST", PATH, {"replicate_shard": wanted}) is True
    eventually(lambda: set(holders(node, 1).values()) == {"Active"} and len(holders(node, 1)) == 2)
    cluster.upsert("documents", range(60, 90))
    dropped = {"shard_id": 1, "peer_id": wanted["from_peer_id"]}
    assert node.result("POST", PATH, {"drop_replica": dropped}) is True
    assert holders(node, 1) == {target.peer_id: "Active"}
    assert [n.count("documents") for n in cluster.nodes] == [90, 90, 90]
    last = {"shard_id": 1, "peer_id": target.peer_id}
    assert node.send("POST", PATH, {"drop_replica": last}).status_code == 400


def test_a_shard_moves(cluster: StandinCluster) -> None:
    node = cluster.nodes[0]
    wanted, target = transfer_of(cluster, 2)
    target.set_faults(recovery_seconds=2)
    node.result("POST", PATH, {"move_shard": wanted})
    [shown] = node.result("GET", PATH)["shard_transfers"]
    assert (shown["sync"], shown["method"]) == (False, "stream_records")
    assert holders(node, 2)[target.peer_id] == "Partial"
    incoming = 'collection_shard_transfer_incoming{id="documents"} 1'
    eventually(lambda: incoming in target.get("/metrics").text)
    cluster.upsert("documents", range(60, 90))
    eventually(lambda: holders(node, 2) == {target.peer_id: "Active"})
    assert [n.count("documents") for n in cluster.nodes] == [90, 90, 90]


def test_an_aborted_move_leaves_the_shard_where_it_was(cluster: StandinCluster) -> None:
    node = cluster.nodes[0]
    wanted, target = transfer_of(cluster, 0)
    target.set_faults(recovery_seconds=60)
    node.result("POST", PATH, {"move_shard": wanted})
    assert node.result("POST", PATH, {"abort_transfer": wanted}) is True
    assert holders(node, 0) == {wanted["from_peer_id"]: "Active"}
    assert node.result("GET", PATH)["shard_transfers"] == []
    assert node.count("documents") == 60


def test_a_transfer_to_a_peer_that_went_away_waits_for_it_and_dies_by_a_write(
    cluster: StandinCluster,
) -> None:
    wanted, target = transfer_of(cluster, 0)
    target.set_faults(recovery_seconds=60)
    node = next(n for n in cluster.running if n.peer_id == wanted["from_peer_id"])
    cluster.nodes[0].result("POST", PATH, {"replicate_shard": wanted})
    # Two of three peers are enough to agree: this one may hear of the transfer last.
    eventually(lambda: holders(node, 0).get(target.peer_id) == "Partial")
    target.kill()
    cluster.leader()
    for i in range(200, 220):  # some of them belong to shards of the peer that is away
        node.send("PUT", "/collections/documents/points", {"points": [{"id": i, "vector": [1, 2]}]})
    assert holders(node, 0)[target.peer_id] == "Dead"
    target.set_faults()
    target.start_and_wait()
    cluster.settle()
    assert set(holders(node, 0).values()) == {"Active"}


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ({"replicate_shard": {"shard_id": 9, "from_peer_id": 1, "to_peer_id": 2}}, "Shard 9 of"),
        ({"replicate_shard": {"shard_id": 0, "from_peer_id": 1, "to_peer_id": 2}}, "Peer 2 does"),
        ({"drop_replica": {"shard_id": 0, "peer_id": 3}}, "Peer 3 does not exist"),
        ({"move_shard": {"shard_id": 0}}, "missing field"),
        ({"start_resharding": {"direction": "up"}}, "the stand-in does not do"),
    ],
)
def test_what_cannot_be_done_is_refused(
    cluster: StandinCluster, operation: dict[str, object], error: str
) -> None:
    response = cluster.nodes[0].send("POST", PATH, operation)
    assert response.status_code == 400
    assert error in response.json()["status"]["error"]


def test_aliases_name_a_collection_for_reads_and_writes(cluster: StandinCluster) -> None:
    node = cluster.nodes[0]

    def change(*actions: dict[str, dict[str, str]]) -> int:
        return node.send("POST", "/collections/aliases", {"actions": list(actions)}).status_code

    create = {"create_alias": {"collection_name": "documents", "alias_name": "current"}}
    assert change(create) == 200
    listed = {"aliases": [{"alias_name": "current", "collection_name": "documents"}]}
    eventually(lambda: cluster.nodes[1].result("GET", "/aliases") == listed)
    assert node.result("GET", "/collections/documents/aliases") == listed
    cluster.upsert("current", range(60, 70))
    assert node.count("current") == node.count("documents") == 70
    assert change({"rename_alias": {"old_alias_name": "current", "new_alias_name": "now"}}) == 200
    assert change({"rename_alias": {"old_alias_name": "current", "new_alias_name": "x"}}) == 404
    assert change({"create_alias": {"collection_name": "none", "alias_name": "x"}}) == 404
    assert (
        change({"create_alias": {"collection_name": "documents", "alias_name": "documents"}}) == 409
    )
    assert node.send("PUT", "/collections/now", COLLECTION).status_code == 409
    assert node.send("GET", "/collections/current").status_code == 404
    assert change({"delete_alias": {"alias_name": "now"}}, create) == 200
    node.result("DELETE", "/collections/documents")
    assert node.result("GET", "/aliases") == {"aliases": []}


def test_a_peer_without_shards_is_removed(cluster: StandinCluster) -> None:
    node = cluster.leader()
    lost = cluster.followers()[0]
    peer = lost.peer_id
    node.result("DELETE", "/collections/documents")
    lost.kill()
    assert node.result("DELETE", f"/cluster/peer/{peer}") is True
    assert str(peer) not in node.cluster()["peers"]
    assert node.send("DELETE", f"/cluster/peer/{peer}").status_code == 404
    cluster.settle()


def test_a_leader_that_is_removed_is_replaced(cluster: StandinCluster) -> None:
    removed = cluster.leader()
    others = cluster.followers()
    removed.result("DELETE", f"/cluster/peer/{removed.peer_id}?force=true")
    eventually(lambda: any(n.cluster()["raft_info"]["role"] == "Leader" for n in others))
    eventually(lambda: all(len(node.cluster()["peers"]) == 2 for node in others))
    others[0].result("PUT", "/collections/more", COLLECTION)


def test_a_node_alone_has_no_cluster_to_change(new_node: NodeFactory) -> None:
    node = new_node("k6", member=False)
    node.start_and_wait()
    node.result("PUT", "/collections/documents", COLLECTION)
    for method, path in (
        ("POST", PATH),
        ("POST", "/cluster/recover"),
        ("DELETE", "/cluster/peer/1"),
    ):
        response = node.send(method, path, {})
        assert response.status_code == 400
        assert "standalone mode" in response.json()["status"]["error"]
    node.result("POST", "/collections/documents/snapshots")
