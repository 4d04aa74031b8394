"""A node's parts, put together."""

from __future__ import annotations

from dataclasses import dataclass

from qdrant_standin.consensus import Consensus
from qdrant_standin.membership import join
from qdrant_standin.metadata import Metadata
from qdrant_standin.points import Points
from qdrant_standin.readiness import Readiness
from qdrant_standin.settings import Settings
from qdrant_standin.shards import LocalShards
from qdrant_standin.standalone import Standalone
from qdrant_standin.storage import RaftState


@dataclass(frozen=True)
class Node:
    """One running node; `consensus` and `readiness` only where the cluster mode is on."""

    settings: Settings
    version: str
    metadata: Metadata
    shards: LocalShards
    points: Points
    consensus: Consensus | None
    readiness: Readiness | None

    @classmethod
    def load(cls, settings: Settings, version: str) -> Node:
        """Read the storage and, in cluster mode, join; raises `NewerStorageError` and `CannotJoinError`."""
        settings.storage_path.mkdir(parents=True, exist_ok=True)
        settings.snapshots_path.mkdir(parents=True, exist_ok=True)
        state = RaftState.load_or_initialize(settings.storage_path)
        shards = LocalShards(settings.storage_path, state.peer_id, version)
        shards.open(state.committed.document)
        consensus = None
        metadata: Metadata
        if settings.cluster_enabled:
            known = state.committed.document
            join(state, settings)
            shards.on_commit(known, state.committed.document)
            metadata = consensus = Consensus(state, settings.tick, shards.on_commit)
        else:
            metadata = Standalone(state, shards.on_commit)
        readiness = Readiness(metadata) if consensus else None
        points = Points(metadata, shards)
        return cls(settings, version, metadata, shards, points, consensus, readiness)
