"""Whether a node may be sent requests: `/readyz` (Qdrant's src/common/health.rs)."""

from __future__ import annotations

import queue
import threading

from qdrant_standin.metadata import Metadata, RefusedError
from qdrant_standin.transport import UnreachableError, send

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
        commits: queue.Queue[int] = queue.Queue()

        def ask(uri: str) -> None:
            try:
                commits.put(send(uri, "/consensus/commit", {}, CHECK_SECONDS)["commit"])
            except (UnreachableError, RefusedError):
                commits.put(0)

        for uri in others:
            threading.Thread(target=ask, args=(uri,), daemon=True).start()
        highest = max([1, *(commits.get() for _ in others)])
        return self._metadata.commit >= highest
