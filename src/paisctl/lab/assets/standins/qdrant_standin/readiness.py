"""Whether a node may be sent requests: `/readyz` (Qdrant's src/common/health.rs)."""

from __future__ import annotations

import time

from qdrant_standin.faults import Faults
from qdrant_standin.metadata import Metadata, RefusedError
from qdrant_standin.replicas import HEALTHY
from qdrant_standin.transport import UnreachableError, ask_all, send

CHECK_SECONDS = 0.5


class Readiness:
    """Latches: a node that was ready once stays so until its process ends.

    It is ready when it has caught up with the peers that answer, and the replicas of its own that were
    not healthy at that moment have healed. So one whose peers are all away thinks itself ready, and so
    does one whose replicas turn out to be dead later, as Qdrant does.
    """

    def __init__(self, metadata: Metadata, faults: Faults) -> None:
        self._metadata = metadata
        self._faults = faults
        self._started = time.monotonic()
        self._healing: set[tuple[str, str]] | None = None
        self._ready = False

    def check(self) -> bool:
        """The latest verdict; takes up to half a second until the node is ready."""
        if not self._ready:
            self._ready = self._is_ready()
        return self._ready

    def _is_ready(self) -> bool:
        if time.monotonic() < self._started + self._faults.get("ready_seconds", 0):
            return False
        if self._healing is None:
            if not self._has_caught_up():
                return False
            self._healing = self._unhealthy()
        self._healing &= self._unhealthy()
        return not self._healing

    def _has_caught_up(self) -> bool:
        peers = self._metadata.document["peers"]
        others = [uri for peer, uri in peers.items() if int(peer) != self._metadata.peer_id]
        return self._metadata.commit >= max([1, *ask_all(others, _commit_of)])

    def _unhealthy(self) -> set[tuple[str, str]]:
        peer = str(self._metadata.peer_id)
        return {
            (name, shard)
            for name, collection in self._metadata.document["collections"].items()
            for shard, holders in collection["shards"].items()
            if peer in holders and holders[peer] not in HEALTHY
        }


def _commit_of(uri: str) -> int:
    try:
        return int(send(uri, "/consensus/commit", {}, CHECK_SECONDS)["commit"])
    except (UnreachableError, RefusedError):
        return 0
