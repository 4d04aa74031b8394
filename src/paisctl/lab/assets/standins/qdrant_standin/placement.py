"""Which shard a point belongs to."""

from __future__ import annotations

import hashlib

from qdrant_standin.shards import PointId


def shard_of(point_id: PointId, shard_number: int) -> int:
    """The shard that a point belongs to, for ever."""
    digest = hashlib.sha256(str(point_id).encode()).digest()
    return int.from_bytes(digest[:8], "big") % shard_number
