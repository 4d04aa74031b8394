"""Writes to all replicas of a shard (Qdrant's replica_set/update.rs).

The rule that keeps acknowledged points from being lost: a write is acknowledged once every replica that
is agreed to be Active has it. One that fails to take it is agreed to be Dead first.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

from qdrant_standin.metadata import Entry, Metadata, RefusedError, collection_named
from qdrant_standin.placement import shard_of
from qdrant_standin.replicas import ACTIVE, DEAD, WRITABLE
from qdrant_standin.shard_access import PRECONDITION_FAILED, ShardAccess
from qdrant_standin.shards import Point
from qdrant_standin.transport import UnreachableError

log = logging.getLogger("stand-in.writes")

DEACTIVATION_SECONDS = 30
RETRY_SECONDS = 0.1


@dataclass
class _Outcome:
    """Which peers have a write, and which have failed to take it and why."""

    stored: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    outdated: bool = False

    def first_failure(self) -> str:
        return next((f"Failed peer: {peer}, error: {e}" for peer, e in self.failed.items()), "")


class Writes:
    """Stores points on their shards."""

    def __init__(self, metadata: Metadata, access: ShardAccess) -> None:
        self._metadata = metadata
        self._access = access
        self._deactivating = threading.Lock()

    def store(self, name: str, points: list[Point]) -> None:
        """Store `points` (see `shards.Point`) on the replicas of their shards.

        Raises `RefusedError`: then some of the replicas may have some of them.
        """
        stamp = [time.time_ns(), self._metadata.peer_id]
        number = collection_named(self._metadata.document, name)["shard_number"]
        by_shard: dict[int, list[Point]] = defaultdict(list)
        for point in points:
            by_shard[shard_of(point["id"], number)].append({**point, "stamp": stamp})
        errors = []
        for shard, chosen in by_shard.items():
            try:
                self._store(name, shard, chosen)
            except RefusedError as error:
                errors.append(error)
        if len(errors) == len(by_shard) and errors:
            raise errors[0]
        if errors:
            raise RefusedError(
                500,
                f"Service internal error: {len(errors)} out of {len(by_shard)} shards failed to apply "
                f"operation. First error captured: {errors[0]}",
            )

    def _store(self, name: str, shard: int, points: list[Point]) -> None:
        while True:
            known = self._metadata.agreed
            outcome = self._send(known, name, shard, points)
            if not outcome.outdated:
                self._conclude(known, name, shard, outcome)
                return
            self._metadata.await_index(known.index + 1)

    def _send(self, known: Entry, name: str, shard: int, points: list[Point]) -> _Outcome:
        holders = collection_named(known.document, name)["shards"][str(shard)]
        request = {"kind": "store", "collection": name, "shard": shard, "points": points}
        outcome = _Outcome()
        writable = [int(peer) for peer, state in holders.items() if state in WRITABLE]
        for peer in sorted(writable, key=lambda peer: holders[str(peer)] != ACTIVE):
            if holders[str(peer)] != ACTIVE and not outcome.stored:
                break  # no active replica has it, so it will be refused: leave the others alone
            try:
                self._access.ask(peer, request, known)
            except UnreachableError as error:
                outcome.failed[peer] = str(error)
            except RefusedError as error:
                if error.status == PRECONDITION_FAILED:
                    outcome.outdated = True
                    return outcome
                outcome.failed[peer] = str(error)
            else:
                outcome.stored.append(peer)
        return outcome

    def _conclude(self, known: Entry, name: str, shard: int, outcome: _Outcome) -> None:
        """Return if the write counts as done; raises `RefusedError` if not."""
        collection = collection_named(known.document, name)
        holders = collection["shards"][str(shard)]
        if not outcome.stored and not outcome.failed:
            raise RefusedError(
                500,
                f"Service internal error: The replica set for shard {shard} on peer "
                f"{self._metadata.peer_id} has no active replica",
            )
        needed = min(collection["write_consistency_factor"], len(holders))
        if outcome.failed and len(outcome.stored) < needed:
            raise RefusedError(500, f"Service internal error: {outcome.first_failure()}")
        for peer in outcome.failed:
            self._deactivate(name, shard, peer, outcome)

    def _deactivate(self, name: str, shard: int, peer: int, outcome: _Outcome) -> None:
        """Have all peers agree that a replica is Dead; raises `RefusedError` if that takes too long."""
        deadline = time.monotonic() + DEACTIVATION_SECONDS
        log.warning("shard %s:%s on peer %s missed a write", name, shard, peer)
        with self._deactivating:
            while self._state(name, shard, peer) not in (None, DEAD):
                try:
                    self._metadata.propose(
                        {
                            "kind": "set_replica_state",
                            "name": name,
                            "shard": shard,
                            "peer": peer,
                            "state": DEAD,
                        }
                    )
                except RefusedError as error:
                    if error.status < 500 or time.monotonic() > deadline:
                        raise RefusedError(
                            500,
                            f"Service internal error: Some replica of shard {shard} failed to apply "
                            f"operation and deactivation timed out after {DEACTIVATION_SECONDS}s. "
                            "Consistency of this update is not guaranteed. Please retry. "
                            f"{outcome.first_failure()}",
                        ) from error
                    # An election may be under way: the peer that fails may have been the leader.
                    time.sleep(RETRY_SECONDS)
                else:
                    return

    def _state(self, name: str, shard: int, peer: int) -> str | None:
        collection = collection_named(self._metadata.document, name)
        return collection["shards"][str(shard)].get(str(peer))
