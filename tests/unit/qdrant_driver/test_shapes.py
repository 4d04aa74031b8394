"""What is read out of Qdrant's answers, written down after its openapi.json."""

from __future__ import annotations

from typing import Any

import pytest

from qdrant_driver.api import QdrantError
from qdrant_driver.shapes import (
    Replica,
    Transfer,
    parse_aliases,
    parse_cluster,
    parse_collection,
    parse_collections,
    parse_shard_map,
    parse_snapshots,
)

LARGE_ID = 2**63 + 12345  # old clusters have ids that no float can hold


def cluster(**changes: Any) -> dict[str, Any]:
    return {
        "status": "enabled",
        "peer_id": LARGE_ID,
        "peers": {str(LARGE_ID): {"uri": "http://K6:6335/"}, "7": {"uri": "http://m7:6335"}},
        "raft_info": {
            "term": 3,
            "commit": 40,
            "pending_operations": 0,
            "leader": LARGE_ID,
            "role": "Leader",
            "is_voter": True,
        },
        "consensus_thread_status": {
            "consensus_thread_status": "working",
            "last_update": "2026-11-22T20:00:00.123456Z",
        },
        "message_send_failures": {"http://m7:6335/": {"count": 2, "latest_error": "refused"}},
        "something_new": 1,
    } | changes


def test_a_cluster_is_read_exactly() -> None:
    view = parse_cluster(cluster())
    assert (view.peer_id, view.leader) == (LARGE_ID, LARGE_ID)
    assert view.peers == {LARGE_ID: "http://k6:6335", 7: "http://m7:6335"}
    assert view.send_failures == {"http://m7:6335": "refused"}
    assert (view.consensus, view.last_update) == ("working", "2026-11-22T20:00:00.123456Z")


def test_consensus_that_has_stopped_says_why() -> None:
    thread = {"consensus_thread_status": "stopped_with_err", "err": "disk full"}
    view = parse_cluster(cluster(consensus_thread_status=thread))
    assert (view.consensus, view.last_update, view.error) == ("stopped_with_err", "", "disk full")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": "disabled"}, "QDRANT__CLUSTER__ENABLED"),
        (cluster(raft_info={"term": 1}), "`commit`"),
        (cluster(peer_id="7"), "`peer_id`"),
        (cluster(peer_id=7.0), "`peer_id`"),
        (cluster(peers=[]), "`peers`"),
        ([], "no object"),
    ],
)
def test_what_is_missing_is_named(answer: object, words: str) -> None:
    with pytest.raises(QdrantError, match=words):
        parse_cluster(answer)


def test_a_leader_may_be_missing() -> None:
    raft = {"term": 3, "commit": 4, "pending_operations": 0, "is_voter": False, "leader": None}
    assert parse_cluster(cluster(raft_info=raft)).leader is None


def test_a_shard_map_joins_local_and_remote_replicas() -> None:
    view = parse_shard_map(
        {
            "peer_id": 1,
            "shard_count": 2,
            "local_shards": [{"shard_id": 1, "points_count": 9, "state": "Active"}],
            "remote_shards": [
                {"shard_id": 1, "peer_id": 2, "state": "Dead"},
                {"shard_id": 0, "peer_id": 2, "state": "ActiveRead"},
            ],
            "shard_transfers": [
                {"shard_id": 1, "from": 1, "to": 2, "sync": True, "method": "wal_delta"}
            ],
            "resharding_operations": None,
        }
    )
    assert view.by_shard == {
        0: [Replica(0, 2, "ActiveRead")],
        1: [Replica(1, 1, "Active", 9), Replica(1, 2, "Dead")],
    }
    assert [replica.is_active for replica in view.replicas] == [False, True, False]
    assert view.transfers == (Transfer(1, 1, 2, "wal_delta"),)
    assert view.resharding == 0


def test_a_collection_has_its_factors_and_its_health() -> None:
    answer: dict[str, Any] = {
        "status": "red",
        "optimizer_status": {"error": "no space left"},
        "points_count": None,
        "config": {"params": {"replication_factor": 2, "write_consistency_factor": 2}},
    }
    view = parse_collection(answer)
    assert (view.status, view.optimizer_error) == ("red", "no space left")
    assert (view.shard_number, view.replication_factor, view.write_consistency_factor) == (1, 2, 2)
    assert view.points is None
    healthy = parse_collection(answer | {"status": "green", "optimizer_status": "ok"})
    assert healthy.optimizer_error == ""


def test_names_aliases_and_snapshots() -> None:
    assert parse_collections({"collections": [{"name": "b"}, {"name": "a"}]}) == ["a", "b"]
    aliases = {"aliases": [{"alias_name": "x", "collection_name": "a"}]}
    assert parse_aliases(aliases) == {"x": "a"}
    [snapshot] = parse_snapshots([{"name": "s", "size": 3, "checksum": None}])
    assert (snapshot.name, snapshot.size, snapshot.checksum) == ("s", 3, None)
    with pytest.raises(QdrantError, match="no list"):
        parse_snapshots({})
