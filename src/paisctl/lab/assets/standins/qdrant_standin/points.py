"""Writes and reads of points, on whichever peers hold their shards."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from qdrant_standin.metadata import Collection, Metadata, RefusedError, collection_named, resolved
from qdrant_standin.placement import shard_of
from qdrant_standin.replicas import active
from qdrant_standin.shard_access import ShardAccess, ShardRequest
from qdrant_standin.shards import LocalShards, Point, PointId, order
from qdrant_standin.transport import UnreachableError
from qdrant_standin.writes import Writes


class Points:
    """The points of all collections as any peer serves them; names may be aliases."""

    def __init__(self, metadata: Metadata, shards: LocalShards) -> None:
        self._metadata = metadata
        self.access = ShardAccess(metadata, shards)
        self._writes = Writes(metadata, self.access)

    def collection(self, name: str) -> Collection:
        """The agreed metadata of a collection; raises `RefusedError` 404."""
        document = self._metadata.document
        return document["collections"][resolved(document, name)]

    def upsert(self, name: str, points: list[Point]) -> None:
        """Store `points`; raises `RefusedError` if too few replicas take them."""
        self._writes.store(resolved(self._metadata.document, name), points)

    def delete(self, name: str, ids: list[PointId]) -> None:
        """Delete points, as far as they exist; raises `RefusedError` as `upsert` does."""
        self.upsert(name, [{"id": point_id, "deleted": True} for point_id in ids])

    def count(self, name: str) -> int:
        """The number of points in a collection."""
        shards = range(self.collection(name)["shard_number"])
        return sum(self._read(name, s, {"kind": "count"}) for s in shards)

    def scroll(self, name: str, offset: PointId | None, limit: int) -> list[Point]:
        """Up to `limit` points of a collection in order, from `offset` on."""
        found: list[Point] = []
        for shard in range(self.collection(name)["shard_number"]):
            request = {"kind": "scroll", "offset": offset, "limit": limit}
            found += self._read(name, shard, request)
        return sorted(found, key=lambda point: order(point["id"]))[:limit]

    def retrieve(self, name: str, ids: list[PointId]) -> list[Point]:
        """Those of the points with `ids` that exist, in the order asked for."""
        number = self.collection(name)["shard_number"]
        by_shard: dict[int, list[PointId]] = defaultdict(list)
        for point_id in ids:
            by_shard[shard_of(point_id, number)].append(point_id)
        found = {
            point["id"]: point
            for shard, chosen in by_shard.items()
            for point in self._read(name, shard, {"kind": "retrieve", "ids": chosen})
        }
        return [found[point_id] for point_id in ids if point_id in found]

    def _read(self, name: str, shard: int, request: ShardRequest) -> Any:
        """The answer of the nearest active replica that can be reached."""
        known = self._metadata.agreed
        name = resolved(known.document, name)
        peers = active(collection_named(known.document, name), shard)
        request = {**request, "collection": name, "shard": shard}
        for peer in self.access.by_distance(peers):
            try:
                return self.access.ask(peer, request, known)
            except (UnreachableError, RefusedError):
                continue
        raise RefusedError(
            500,
            f"Service internal error: The replica set for shard {shard} on peer "
            f"{self._metadata.peer_id} has no active replica",
        )
