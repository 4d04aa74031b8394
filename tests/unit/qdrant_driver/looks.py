"""Looks at a cluster of three as data: all is well in them, but for what a test changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qdrant_driver.disk import Disk
from qdrant_driver.nodes import Look, NodeView
from qdrant_driver.shapes import ClusterView, CollectionView, Replica, ShardMap, Transfer

DEVICES = ("k6", "m7-1", "m7-2")
PEERS = {1: "http://k6:6335", 2: "http://m7-1:6335", 3: "http://m7-2:6335"}
PLACES = {0: (1, 2), 1: (2, 3), 2: (1, 3)}  # the peers that have each shard
GIB = 1024 * 1024  # in KiB
DISK = Disk(0, 100 * GIB, 100 * GIB, shared=True, collections={"documents": 10 * GIB})


def cluster(peer: int, **changes: Any) -> ClusterView:
    view = ClusterView(
        peer_id=peer,
        peers=PEERS,
        term=4,
        commit=100,
        pending=0,
        leader=1,
        is_voter=True,
        consensus="working",
        last_update="2026-11-22T20:00:02Z",
        error="",
        send_failures={},
    )
    return replace(view, **changes)


def shards(
    peer: int,
    states: dict[tuple[int, int], str] | None = None,
    transfers: tuple[Transfer, ...] = (),
    resharding: int = 0,
    places: dict[int, tuple[int, ...]] | None = None,
) -> ShardMap:
    """As a peer sees them; `states` by shard and peer, where they are not Active."""
    replicas = tuple(
        Replica(
            shard, each, (states or {}).get((shard, each), "Active"), 500 * (each == peer) or None
        )
        for shard, peers in (places or PLACES).items()
        for each in peers
    )
    return ShardMap(peer, replicas, transfers, resharding)


def collection(**changes: Any) -> CollectionView:
    return replace(CollectionView("green", "", 1500, 3, 2, 1, {}), **changes)


def node(device: str, **changes: Any) -> NodeView:
    peer = DEVICES.index(device) + 1
    view = NodeView(
        device,
        PEERS[peer],
        None,
        "1.18.3",
        cluster(peer),
        {"documents": shards(peer)},
        {"documents": collection()},
    )
    return replace(view, **changes)


def look(*changed: NodeView) -> Look:
    """All three nodes, some of them changed."""
    nodes = {device: node(device) for device in DEVICES}
    return Look(nodes | {each.device: each for each in changed}, 10.0)


def earlier() -> Look:
    """What was seen a little before, when all was well."""
    before = [
        node(device, cluster=cluster(peer, last_update="2026-11-22T20:00:00Z"))
        for peer, device in enumerate(DEVICES, 1)
    ]
    return look(*before)
