"""What peers ask of each other's shards, and how the answers are got."""

from __future__ import annotations

import time
from typing import Any

from qdrant_standin.metadata import Entry, Metadata, RefusedError
from qdrant_standin.shards import LocalShards, OutdatedError
from qdrant_standin.transport import UnreachableError, send

STORE_SECONDS = 5.0
# A read goes on to another replica after that.
READ_SECONDS = 2.0
# A peer that was silent is asked last for so long.
DISTRUST_SECONDS = 5.0
PRECONDITION_FAILED = 412

# `kind`, `collection`, `shard`, and what the kind needs.
ShardRequest = dict[str, Any]


class ShardAccess:
    """Shards wherever they are."""

    def __init__(self, metadata: Metadata, shards: LocalShards) -> None:
        self._metadata = metadata
        self._shards = shards
        self._silent_at: dict[int, float] = {}

    def ask(self, peer: int, request: ShardRequest, known: Entry) -> Any:
        """What `peer` answers, once it knows what is `known` here.

        Raises `UnreachableError`, or `RefusedError`: 412 if the peer knows of later replicas of the
        shard than those that are known here.
        """
        request = {**request, "commit": known.index}
        if peer == self._metadata.peer_id:
            return self.serve(request)
        uri = known.document["peers"].get(str(peer))
        if uri is None:
            raise UnreachableError(f"peer {peer} is unknown")
        try:
            answer = send(uri, "/shards", {**request, "to": peer}, _patience(request))
        except UnreachableError:
            self._silent_at[peer] = time.monotonic()
            raise
        self._silent_at.pop(peer, None)
        return answer

    def by_distance(self, peers: list[int]) -> list[int]:
        """`peers`, this one first, those that were silent a moment ago last."""
        recent = time.monotonic() - DISTRUST_SECONDS
        return sorted(
            peers,
            key=lambda peer: (
                self._silent_at.get(peer, 0) > recent,
                peer != self._metadata.peer_id,
                peer,
            ),
        )

    def serve(self, request: ShardRequest) -> Any:
        """Answer a peer (or this one) from the replica that this node holds; raises `RefusedError`."""
        # The asker may have heard of a new collection before this node has.
        self._metadata.await_index(request["commit"], _patience(request) / 2)
        shard = self._shards.get(request["collection"], request["shard"])
        if shard is None:
            raise RefusedError(404, f"Not found: shard {request['shard']} is not on this peer")
        match request["kind"]:
            case "store":
                try:
                    shard.store(request["points"], request["commit"])
                except OutdatedError:
                    raise RefusedError(
                        PRECONDITION_FAILED, "Pre-condition failure: the replicas have changed"
                    ) from None
                return True
            case "count":
                return shard.count()
            case "scroll":
                return shard.scroll(request["offset"], request["limit"])
            case "retrieve":
                return shard.retrieve(request["ids"])
            case "export":
                return shard.export(request["start"], request["limit"])
            case kind:
                raise RefusedError(400, f"Bad request: unknown shard request {kind}")


def _patience(request: ShardRequest) -> float:
    return STORE_SECONDS if request["kind"] == "store" else READ_SECONDS
