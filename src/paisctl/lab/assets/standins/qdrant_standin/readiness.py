"""Whether a node may be sent requests: `/readyz` (Qdrant's src/common/health.rs)."""

from __future__ import annotations

from qdrant_standin.metadata import Metadata, RefusedError
from qdrant_standin.transport import UnreachableError, ask_all, send

CHECK_SECONDS = 0.5


class Readiness:
    """Latches: a node that was ready once stays so until its process ends.

    It is ready when it has caught up with the peers that answer. One whose peers are all away
    therefore thinks itself ready, as Qdrant does.
    """

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._ready = False

    def check(self) -> bool:
        """The latest verdict; takes up to half a second until the node is ready."""
        if not self._ready:
            self._ready = self._has_caught_up()
        return self._ready

    def _has_caught_up(self) -> bool:
        peers = self._metadata.document["peers"]
        others = [uri for peer, uri in peers.items() if int(peer) != self._metadata.peer_id]
        return self._metadata.commit >= max([1, *ask_all(others, _commit_of)])


def _commit_of(uri: str) -> int:
    try:
        return int(send(uri, "/consensus/commit", {}, CHECK_SECONDS)["commit"])
    except (UnreachableError, RefusedError):
        return 0
