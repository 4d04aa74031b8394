"""Writes and reads of points, on whichever peers hold their shards."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

from qdrant_standin.metadata import Collection, Metadata, RefusedError
from qdrant_standin.shards import LocalShards, Point, PointId, order
from qdrant_standin.transport import UnreachableError, send

REPLICA_SECONDS = 5.0

# What one peer asks another's shard: `kind`, `collection`, `shard`, and what the kind needs.
ShardRequest = dict[str, Any]


def shard_of(point_id: PointId, shard_number: int) -> int:
    """The shard that a point belongs to, for ever."""
    digest = hashlib.sha256(str(point_id).encode()).digest()
    return int.from_bytes(digest[:8], "big") % shard_number


class Points:
    """The points of all collections as any peer serves them."""

    def __init__(self, metadata: Metadata, shards: LocalShards) -> None:
        self._metadata = metadata
        self._shards = shards

    def collection(self, name: str) -> Collection:
        """The agreed metadata of a collection; raises `RefusedError` 404."""
        try:
            return self._metadata.document["collections"][name]
        except KeyError:
            raise RefusedError(404, f"Not found: Collection `{name}` doesn't exist!") from None

    def upsert(self, name: str, points: list[Point]) -> None:
        """Store `points` on every replica of their shards; raises `RefusedError` if one fails."""
        collection = self.collection(name)
        by_shard: dict[int, list[Point]] = defaultdict(list)
        for point in points:
            by_shard[shard_of(point["id"], collection["shard_number"])].append(point)
        for shard, chosen in by_shard.items():
            for peer in self._replicas(collection, shard):
                try:
                    self._ask(
                        peer,
                        {"kind": "upsert", "collection": name, "shard": shard, "points": chosen},
                    )
                except (UnreachableError, RefusedError) as error:
                    raise RefusedError(
                        500, f"Service internal error: shard {name}:{shard} on peer {peer}: {error}"
                    ) from error

    def count(self, name: str) -> int:
        """The number of points in a collection."""
        shards = range(self.collection(name)["shard_number"])
        return sum(self._read({"kind": "count", "collection": name, "shard": s}) for s in shards)

    def scroll(self, name: str, offset: PointId | None, limit: int) -> list[Point]:
        """Up to `limit` points of a collection in order, from `offset` on."""
        found: list[Point] = []
        for shard in range(self.collection(name)["shard_number"]):
            request = {"kind": "scroll", "collection": name, "shard": shard}
            found += self._read({**request, "offset": offset, "limit": limit})
        return sorted(found, key=lambda point: order(point["id"]))[:limit]

    def serve(self, request: ShardRequest) -> Any:
        """Answer a peer (or this one) from the replica that this node holds."""
        # The asker may have heard of a new collection before this node has.
        self._metadata.await_index(request["commit"])
        shard = self._shards.get(request["collection"], request["shard"])
        if shard is None:
            raise RefusedError(404, f"Not found: shard {request['shard']} is not on this peer")
        match request["kind"]:
            case "upsert":
                shard.upsert(request["points"])
                return True
            case "count":
                return shard.count()
            case "scroll":
                return shard.scroll(request["offset"], request["limit"])
            case kind:
                raise RefusedError(400, f"Bad request: unknown shard request {kind}")

    def _read(self, request: ShardRequest) -> Any:
        """The answer of the nearest replica that can be reached."""
        name, shard = request["collection"], request["shard"]
        for peer in self._replicas(self.collection(name), shard):
            try:
                return self._ask(peer, request)
            except (UnreachableError, RefusedError):
                continue
        raise RefusedError(
            500,
            f"Service internal error: The replica set for shard {shard} on peer "
            f"{self._metadata.peer_id} has no active replica",
        )

    def _replicas(self, collection: Collection, shard: int) -> list[int]:
        """The peers that hold a shard, this one first."""
        peers = map(int, collection["shards"][str(shard)])
        return sorted(peers, key=lambda peer: (peer != self._metadata.peer_id, peer))

    def _ask(self, peer: int, request: ShardRequest) -> Any:
        request = {**request, "commit": self._metadata.commit}
        if peer == self._metadata.peer_id:
            return self.serve(request)
        uri = self._metadata.document["peers"].get(str(peer))
        if uri is None:
            raise UnreachableError(f"peer {peer} is unknown")
        return send(uri, "/shards", {**request, "to": peer}, REPLICA_SECONDS)
