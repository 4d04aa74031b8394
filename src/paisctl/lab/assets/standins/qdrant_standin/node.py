"""A node's parts, put together."""

from __future__ import annotations

from dataclasses import dataclass

from qdrant_standin.consensus import Consensus
from qdrant_standin.faults import Faults
from qdrant_standin.membership import join
from qdrant_standin.metadata import Metadata
from qdrant_standin.points import Points
from qdrant_standin.readiness import Readiness
from qdrant_standin.restore import Restore
from qdrant_standin.settings import Settings
from qdrant_standin.shards import LocalShards
from qdrant_standin.snapshots import Snapshots
from qdrant_standin.standalone import Standalone
from qdrant_standin.storage import RaftState
from qdrant_standin.transfers import Transfers

# How often a node looks for replicas to recover, in ticks.
TRANSFER_TICKS = 5


@dataclass(frozen=True)
class Node:
    """One running node; `consensus` and `readiness` only where the cluster mode is on."""

    settings: Settings
    version: str
    faults: Faults
    metadata: Metadata
    shards: LocalShards
    points: Points
    snapshots: Snapshots
    restore: Restore
    consensus: Consensus | None
    readiness: Readiness | None

    @classmethod
    def load(cls, settings: Settings, version: str, faults: Faults) -> Node:
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
            metadata = consensus = Consensus(state, settings.tick, shards.on_commit, faults)
        else:
            metadata = Standalone(state, shards.on_commit)
        readiness = Readiness(metadata, faults) if consensus else None
        points = Points(metadata, shards)
        snapshots = Snapshots(settings.snapshots_path, metadata, shards, version, faults)
        return cls(
            settings,
            version,
            faults,
            metadata,
            shards,
            points,
            snapshots,
            Restore(metadata, shards, version, faults),
            consensus,
            readiness,
        )

    def start(self) -> None:
        """Take part in the cluster, if there is one, in the background."""
        if self.consensus:
            self.consensus.start()
            transfers = Transfers(self.metadata, self.shards, self.points.access, self.faults)
            transfers.start(TRANSFER_TICKS * self.settings.tick)
