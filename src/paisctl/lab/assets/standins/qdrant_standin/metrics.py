"""`/metrics`: the names and labels of Qdrant's src/common/metrics.rs that can be true here."""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from itertools import accumulate
from pathlib import Path
from typing import Literal

from prometheus_text import histogram_family, metric_family
from standin_http import Handler, HttpError, Request, Response, Router

from qdrant_standin.consensus import Consensus
from qdrant_standin.node import Node

BUCKETS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)


@dataclass
class _Timing:
    count: int = 0
    total: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))

    def add(self, seconds: float) -> None:
        self.count += 1
        self.total += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1

    def cumulative(self) -> list[tuple[float, int]]:
        return list(zip(BUCKETS, accumulate(self.buckets), strict=False))


class RequestMetrics:
    """Counts and times the requests to collections, as Qdrant does for a list of its endpoints."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._timings: dict[tuple[str, str, int], _Timing] = defaultdict(_Timing)

    def observing(self, router: Router) -> Handler:
        """`router`, its point requests counted under the pattern of their route."""

        def handle(request: Request) -> Response:
            matched = router.match(request.method, request.path)
            if matched is None or "/points" not in matched[0].pattern:
                return router(request)
            endpoint = matched[0].pattern.replace("{name}", "{collection_name}")
            started = time.perf_counter()
            status = 500
            try:
                response = router(request)
                status = response.status
            except HttpError as error:
                status = error.status
                raise
            finally:
                self._observe((request.method, endpoint, status), time.perf_counter() - started)
            return response

        return handle

    def _observe(self, key: tuple[str, str, int], seconds: float) -> None:
        with self._lock:
            self._timings[key].add(seconds)

    def families(self) -> list[str]:
        with self._lock:
            labelled = [
                ({"method": method, "endpoint": endpoint, "status": status}, timing)
                for (method, endpoint, status), timing in self._timings.items()
            ]
            counts = [(labels, timing.count) for labels, timing in labelled]
            histograms = [
                (labels, timing.cumulative(), timing.total, timing.count)
                for labels, timing in labelled
                if labels["status"] == HTTPStatus.OK  # Qdrant times only what succeeded
            ]
        name = "rest_responses"
        return [
            metric_family(f"{name}_total", "counter", "total number of responses", counts),
            histogram_family(f"{name}_duration_seconds", "response duration histogram", histograms),
        ]


def exposition(node: Node, requests: RequestMetrics) -> str:
    """All metrics of a node as text."""
    families = [
        metric_family(
            "app_info",
            "gauge",
            "information about qdrant server",
            [({"name": "qdrant", "version": node.version}, 1)],
        ),
        _gauge("app_status_recovery_mode", "features enabled in qdrant server", 0),
        *_collections(node),
        _gauge("cluster_enabled", "is cluster support enabled", node.consensus is not None),
        *(_cluster(node.consensus) if node.consensus else []),
        *requests.families(),
        *_process(),
    ]
    return "".join(families)


def _gauge(name: str, description: str, value: float, **labels: object) -> str:
    return metric_family(name, "gauge", description, [(labels, value)])


def _collections(node: Node) -> list[str]:
    collections = node.metadata.document["collections"]
    points: dict[str, int] = dict.fromkeys(collections, 0)
    active, dead = [], 0
    for name, collection in collections.items():
        for shard_id, replicas in collection["shards"].items():
            active.append(sum(state == "Active" for state in replicas.values()))
            dead += any(state != "Active" for state in replicas.values())
            shard = node.shards.get(name, int(shard_id))
            points[name] += shard.count() if shard else 0
    zeroes = [({"id": name}, 0.0) for name in collections]
    running = {
        "snapshot_creation_running": node.snapshots.creating,
        "snapshot_recovery_running": node.restore.running,
        "collection_shard_transfer_incoming": _transfers(node, "to"),
        "collection_shard_transfer_outgoing": _transfers(node, "from"),
    }
    return [
        _gauge("collections_total", "number of collections", len(collections)),
        _gauge("collections_vector_total", "total number of vectors", sum(points.values())),
        _gauge("collection_active_replicas_min", "fewest active replicas", min(active, default=0)),
        _gauge("collection_active_replicas_max", "most active replicas", max(active, default=0)),
        _gauge("collection_dead_replicas", "shards with a replica that is not active", dead),
        metric_family(
            "collection_points",
            "gauge",
            "approximate amount of points per collection",
            [({"id": name}, count) for name, count in points.items()],
        ),
        *(
            metric_family(
                name, "gauge", "going on now", [({"id": c}, counts[c]) for c in collections]
            )
            for name, counts in running.items()
        ),
        *(
            metric_family(name, "gauge", "nothing of the kind happens here", zeroes)
            for name in ("collection_running_optimizations", "collection_update_queue_length")
        ),
    ]


def _transfers(node: Node, direction: Literal["from", "to"]) -> Counter[str]:
    """How many shards of each collection this node sends or receives."""
    return Counter(
        name
        for name, collection in node.metadata.document["collections"].items()
        for transfer in collection["transfers"]
        if transfer[direction] == node.metadata.peer_id
    )


def _cluster(consensus: Consensus) -> list[str]:
    document = consensus.document
    peer = {"peer_id": consensus.peer_id}
    updated = datetime.fromisoformat(consensus.last_update).timestamp()
    counter = "counter"
    return [
        _gauge("cluster_peers_total", "total number of cluster peers", len(document["peers"])),
        metric_family("cluster_term", counter, "current term", [({}, consensus.raft.term)]),
        metric_family("cluster_commit", counter, "last commit", [(peer, consensus.commit)]),
        _gauge("cluster_pending_operations_total", "operations not applied yet", 0),
        _gauge("cluster_voter", "voter or learner", consensus.peer_id in document["voters"]),
        metric_family(
            "cluster_last_update_timestamp_seconds",
            counter,
            "unix timestamp of last update",
            [({}, int(updated))],
        ),
        metric_family(
            "cluster_working_state",
            "gauge",
            "working state of the cluster",
            [
                ({"state": "working"}, consensus.failure is None),
                ({"state": "stopped"}, consensus.failure is not None),
            ],
        ),
    ]


def _process() -> list[str]:
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    resident = resident_pages * os.sysconf("SC_PAGE_SIZE")
    return [
        _gauge("memory_resident_bytes", "resident memory", resident),
        _gauge("process_threads", "threads", threading.active_count()),
        _gauge("process_open_fds", "open files", sum(1 for _ in Path("/proc/self/fd").iterdir())),
    ]
