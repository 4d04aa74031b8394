"""What the REST API says about the cluster, its collections and their points."""

from __future__ import annotations

from typing import Any

from qdrant_standin.consensus import Consensus
from qdrant_standin.metadata import Collection, Transfer
from qdrant_standin.shards import LocalShards, Point

# Qdrant's defaults (config/config.yaml), reported because clients read them; nothing here uses them.
HNSW_CONFIG = {
    "m": 16,
    "ef_construct": 100,
    "full_scan_threshold": 10000,
    "max_indexing_threads": 0,
    "on_disk": False,
}
OPTIMIZER_CONFIG = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 0,
    "max_segment_size": None,
    "memmap_threshold": None,
    "indexing_threshold": 10000,
    "flush_interval_sec": 5,
    "max_optimization_threads": None,
}


def cluster(consensus: Consensus | None) -> dict[str, Any]:
    """`GET /cluster` as this node sees it."""
    if consensus is None:
        return {"status": "disabled"}
    raft, document = consensus.raft, consensus.document
    return {
        "status": "enabled",
        "peer_id": consensus.peer_id,
        "peers": {peer: {"uri": uri} for peer, uri in document["peers"].items()},
        "raft_info": {
            "term": raft.term,
            "commit": consensus.commit,
            # Here an operation is applied in the moment it is committed.
            "pending_operations": 0,
            "leader": raft.leader,
            "role": raft.role,
            "is_voter": consensus.peer_id in document["voters"],
        },
        "consensus_thread_status": _thread_status(consensus),
        "message_send_failures": {
            uri: failures.__dict__
            for uri, failures in consensus.failures.copy().items()
            if uri in document["peers"].values()
        },
    }


def collection(configured: Collection, points_count: int) -> dict[str, Any]:
    """`GET /collections/{name}`."""
    return {
        "status": "green",
        "optimizer_status": "ok",
        "indexed_vectors_count": 0,
        "points_count": points_count,
        "segments_count": len(configured["shards"]),
        "config": {
            "params": {
                "vectors": configured["vectors"],
                "shard_number": configured["shard_number"],
                "replication_factor": configured["replication_factor"],
                "write_consistency_factor": configured["write_consistency_factor"],
                "on_disk_payload": True,
            },
            "hnsw_config": HNSW_CONFIG,
            "optimizer_config": OPTIMIZER_CONFIG,
            "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
            "quantization_config": None,
        },
        "payload_schema": {},
    }


def collection_cluster(
    name: str, configured: Collection, peer_id: int, shards: LocalShards
) -> dict[str, Any]:
    """`GET /collections/{name}/cluster`: where each replica is and in which state."""
    local, remote = [], []
    for shard_id, replicas in configured["shards"].items():
        for peer, state in replicas.items():
            replica = {"shard_id": int(shard_id), "state": state}
            if int(peer) == peer_id:
                shard = shards.get(name, int(shard_id))
                local.append({**replica, "points_count": shard.count() if shard else 0})
            else:
                remote.append({**replica, "peer_id": int(peer)})
    return {
        "peer_id": peer_id,
        "shard_count": len(configured["shards"]),
        "local_shards": local,
        "remote_shards": remote,
        "shard_transfers": [_transfer(transfer) for transfer in configured["transfers"]],
    }


def _thread_status(consensus: Consensus) -> dict[str, str]:
    if consensus.failure:
        return {"consensus_thread_status": "stopped_with_err", "err": consensus.failure}
    return {"consensus_thread_status": "working", "last_update": consensus.last_update}


def _transfer(transfer: Transfer) -> dict[str, Any]:
    return {
        "shard_id": transfer["shard_id"],
        "from": transfer["from"],
        "to": transfer["to"],
        "sync": transfer["sync"],
        "method": transfer["method"],
    }


def record(point: Point, wanted: Any) -> dict[str, Any]:
    """A point in a reply, with the parts that were asked for: by default all but the vector."""
    shown: dict[str, Any] = {"id": point["id"]}
    if wanted.get("with_payload", True):
        shown["payload"] = point["payload"] or {}
    if wanted.get("with_vector", False):
        shown["vector"] = point["vector"]
    return shown
