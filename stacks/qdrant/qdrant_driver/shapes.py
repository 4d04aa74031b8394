"""What Qdrant answers, as far as it matters here; names in quotes are schemas of its openapi.json.

Unknown keys are ignored, so that newer versions can be read. What is needed and missing is an error that
names it. Peer ids are 64-bit integers, and keys of JSON objects where they name peers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Never

from qdrant_driver.api import QdrantError

ACTIVE = "Active"
WORKING = "working"


@dataclass(frozen=True, slots=True)
class ClusterView:
    """`GET /cluster` ("ClusterStatus"): how one peer sees the cluster.

    Attributes:
        peers: the addresses of all peers, itself too, by id; without a slash at the end.
        term: Raft's, as `commit`: the last entry that this peer knows to be committed.
        pending: entries that are committed and not applied here yet.
        leader: the peer that leads; None while nobody does.
        is_voter: a peer that has just joined only listens for a while.
        consensus: `working`, `stopped` or `stopped_with_err`.
        last_update: when its consensus last did something, by its own clock; it moves all the time.
        error: why consensus has stopped.
        send_failures: by the address of a peer, why messages to it failed; gone with the next success.
    """

    peer_id: int
    peers: Mapping[int, str]
    term: int
    commit: int
    pending: int
    leader: int | None
    is_voter: bool
    consensus: str
    last_update: str
    error: str
    send_failures: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Replica:
    """A shard on a peer ("LocalShardInfo", "RemoteShardInfo").

    `points` is approximate, and None unless the peer that was asked holds it.
    """

    shard_id: int
    peer_id: int
    state: str
    points: int | None = None

    @property
    def is_active(self) -> bool:
        """Whether it answers reads and takes writes as the others do."""
        return self.state == ACTIVE


@dataclass(frozen=True, slots=True)
class Transfer:
    """A shard on its way from one peer to another ("ShardTransferInfo")."""

    shard_id: int
    source: int
    target: int
    method: str = ""


@dataclass(frozen=True, slots=True)
class ShardMap:
    """`GET /collections/{c}/cluster` ("CollectionClusterInfo"): where one peer sees the shards.

    `resharding` is the number of resharding operations that go on.
    """

    peer_id: int
    replicas: tuple[Replica, ...]
    transfers: tuple[Transfer, ...]
    resharding: int

    @property
    def by_shard(self) -> dict[int, list[Replica]]:
        """The replicas of each shard."""
        shards: dict[int, list[Replica]] = {}
        for replica in self.replicas:
            shards.setdefault(replica.shard_id, []).append(replica)
        return shards


@dataclass(frozen=True, slots=True)
class CollectionView:
    """`GET /collections/{c}` ("CollectionInfo").

    Attributes:
        status: `green`; `yellow` while it optimizes; `grey` while it would, but waits for the next
            write; `red` when operations have failed ("CollectionStatus").
        optimizer_error: empty when the optimizers are well ("OptimizersStatus").
        points: of all shards, approximate; None where it is not known.
        config: all of its configuration, as it came.
    """

    status: str
    optimizer_error: str
    points: int | None
    shard_number: int
    replication_factor: int
    write_consistency_factor: int
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A snapshot on a node ("SnapshotDescription"): size in bytes, SHA-256, time in UTC."""

    name: str
    size: int
    checksum: str | None
    created: str | None


def parse_cluster(result: Any) -> ClusterView:
    """Raises QdrantError, also when the node is no part of a cluster."""
    view = _Fields(result, "GET /cluster")
    if view.text("status") == "disabled":
        raise QdrantError("the node runs on its own: QDRANT__CLUSTER__ENABLED is not true there")
    raft, thread = view.inside("raft_info"), view.inside("consensus_thread_status")
    peers = view.inside("peers")
    failures = view.inside("message_send_failures")
    return ClusterView(
        peer_id=view.number("peer_id"),
        peers={int(each): address(peers.inside(each).text("uri")) for each in peers.value},
        term=raft.number("term"),
        commit=raft.number("commit"),
        pending=raft.number("pending_operations"),
        leader=raft.number_or_none("leader"),
        is_voter=raft.flag("is_voter"),
        consensus=thread.text("consensus_thread_status"),
        last_update=str(thread.value.get("last_update") or ""),
        error=str(thread.value.get("err") or ""),
        send_failures={
            address(each): str(failures.inside(each).value.get("latest_error") or "")
            for each in failures.value
        },
    )


def parse_collections(result: Any) -> list[str]:
    """The names of all collections, sorted ("CollectionsResponse")."""
    return sorted(
        each.text("name") for each in _Fields(result, "GET /collections").all("collections")
    )


def parse_aliases(result: Any) -> dict[str, str]:
    """Which collection each alias means ("CollectionsAliasesResponse")."""
    aliases = _Fields(result, "GET /aliases").all("aliases")
    return {each.text("alias_name"): each.text("collection_name") for each in aliases}


def parse_collection(result: Any) -> CollectionView:
    """Raises QdrantError."""
    view = _Fields(result, "GET /collections/{c}")
    config = view.inside("config")
    params = config.inside("params")
    optimizers = view.value.get("optimizer_status")
    error = optimizers.get("error") if isinstance(optimizers, dict) else None
    return CollectionView(
        status=view.text("status"),
        optimizer_error="" if optimizers == "ok" else str(error or optimizers),
        points=view.number_or_none("points_count"),
        shard_number=params.number("shard_number", 1),
        replication_factor=params.number("replication_factor", 1),
        write_consistency_factor=params.number("write_consistency_factor", 1),
        config=config.value,
    )


def parse_shard_map(result: Any) -> ShardMap:
    """Raises QdrantError."""
    view = _Fields(result, "GET /collections/{c}/cluster")
    own = view.number("peer_id")
    local = [
        Replica(each.number("shard_id"), own, each.text("state"), each.number("points_count"))
        for each in view.all("local_shards")
    ]
    remote = [
        Replica(each.number("shard_id"), each.number("peer_id"), each.text("state"))
        for each in view.all("remote_shards")
    ]
    transfers = [
        Transfer(
            each.number("shard_id"),
            each.number("from"),
            each.number("to"),
            str(each.value.get("method") or ""),
        )
        for each in view.all("shard_transfers")
    ]
    resharding = len(view.value.get("resharding_operations") or ())
    replicas = sorted((*local, *remote), key=lambda each: (each.shard_id, each.peer_id))
    return ShardMap(own, tuple(replicas), tuple(transfers), resharding)


def parse_snapshot(result: Any) -> SnapshotInfo:
    """Raises QdrantError."""
    view = _Fields(result, "…/snapshots")
    checksum, created = view.value.get("checksum"), view.value.get("creation_time")
    return SnapshotInfo(view.text("name"), view.number("size"), checksum, created)


def parse_snapshots(result: Any) -> list[SnapshotInfo]:
    """Raises QdrantError."""
    if not isinstance(result, list):
        raise QdrantError("GET …/snapshots: the answer is no list")
    return [parse_snapshot(each) for each in result]


def parse_running_snapshots(result: Any) -> dict[str, int]:
    """How many snapshots of each collection a node makes right now ("CollectionSnapshotTelemetry")."""
    told = _Fields(result, "GET /telemetry").inside("collections")
    snapshots = told.all("snapshots") if told.value.get("snapshots") else []
    return {each.text("id"): each.number("running_snapshots", 0) for each in snapshots}


def address(uri: str) -> str:
    """A peer's address so that it compares: Qdrant shows `http://k6:6335/` for `http://k6:6335`."""
    return uri.rstrip("/").lower()


class _Fields:
    """Takes values out of a JSON object, each of the type that it must have."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise QdrantError(f"{where}: the answer is no object")
        self.value: dict[str, Any] = value
        self._where = where

    def text(self, key: str) -> str:
        value = self.value.get(key)
        return value if isinstance(value, str) else self._missing(key)

    def flag(self, key: str) -> bool:
        value = self.value.get(key)
        return value if isinstance(value, bool) else self._missing(key)

    def number(self, key: str, default: int | None = None) -> int:
        value = self.number_or_none(key)
        if value is None:
            value = default
        return self._missing(key) if value is None else value

    def number_or_none(self, key: str) -> int | None:
        value = self.value.get(key)
        if value is None:
            return None
        return value if type(value) is int else self._missing(key)

    def inside(self, key: str) -> _Fields:
        value = self.value.get(key)
        return _Fields(value if isinstance(value, dict) else self._missing(key), self._where)

    def all(self, key: str) -> list[_Fields]:
        value = self.value.get(key)
        values = value if isinstance(value, list) else self._missing(key)
        return [_Fields(each, self._where) for each in values]

    def _missing(self, key: str) -> Never:
        raise QdrantError(f"{self._where}: the answer has no usable `{key}`")
