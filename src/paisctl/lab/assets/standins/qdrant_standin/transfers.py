"""Shards on their way between peers, and the recovery of this node's dead replicas.

The peer that receives a shard drives its transfer: it fetches all points from the other and then has all
peers agree that it is active. Whatever is written meanwhile is written to both (see `writes`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

from qdrant_standin.faults import Faults
from qdrant_standin.metadata import Collection, Metadata, Operation, RefusedError, Transfer
from qdrant_standin.replicas import ACTIVE, DEAD, active
from qdrant_standin.shard_access import ShardAccess
from qdrant_standin.shards import LocalShards, Shard
from qdrant_standin.transport import UnreachableError, send

log = logging.getLogger("stand-in.transfers")

PING_SECONDS = 0.5
# How long the receiving peer may be silent before its transfer is given up.
PATIENCE_SECONDS = 10.0
PAGE = 500


class Transfers:
    """Carries out the transfers to this peer, watches those from it, and asks for those it needs."""

    def __init__(
        self, metadata: Metadata, shards: LocalShards, access: ShardAccess, faults: Faults
    ) -> None:
        self._metadata = metadata
        self._peer_id = metadata.peer_id
        self._shards = shards
        self._access = access
        self._faults = faults
        self._receiving: set[tuple[str, int]] = set()
        self._silent_since: dict[int, float] = {}

    def start(self, interval: float) -> None:
        """Look after transfers every `interval` seconds, in the background."""

        def run() -> None:
            while True:
                time.sleep(interval)
                try:
                    self._look_after_all()
                except RefusedError as error:
                    log.info("%s", error)

        threading.Thread(target=run, name="transfers", daemon=True).start()

    def _look_after_all(self) -> None:
        if self._faults.get("consensus_stopped"):
            return
        for name, collection in self._metadata.document["collections"].items():
            for transfer in collection["transfers"]:
                key = name, transfer["started"]
                if transfer["to"] == self._peer_id and key not in self._receiving:
                    self._receiving.add(key)
                    arguments = name, transfer, key
                    threading.Thread(target=self._receive, args=arguments, daemon=True).start()
                elif transfer["from"] == self._peer_id:
                    self._watch(name, transfer)
            self._look_after_replicas(name, collection)

    def _look_after_replicas(self, name: str, collection: Collection) -> None:
        stay_dead = self._faults.get("dead_replicas", False)
        for shard, holders in collection["shards"].items():
            state = holders.get(str(self._peer_id))
            sources = [p for p in active(collection, shard) if p != self._peer_id]
            if state == ACTIVE and sources and stay_dead:
                self._propose("set_replica_state", name, shard=int(shard), state=DEAD)
            elif state == DEAD and not stay_dead:
                self._request(name, int(shard), sources)

    def _request(self, name: str, shard: int, sources: list[int]) -> None:
        source = next((peer for peer in sources if self._answers(peer)), None)
        if source is None:
            return
        log.info("recovering shard %s:%s from peer %s", name, shard, source)
        wanted = {"shard_id": shard, "from": source, "to": self._peer_id}
        self._propose(
            "start_transfer", name, transfer={**wanted, "sync": True, "method": "wal_delta"}
        )

    def _watch(self, name: str, transfer: Transfer) -> None:
        if self._answers(transfer["to"]):
            self._silent_since.pop(transfer["started"], None)
            return
        since = self._silent_since.setdefault(transfer["started"], time.monotonic())
        if time.monotonic() - since > PATIENCE_SECONDS:
            self._propose("abort_transfer", name, transfer={**transfer})

    def _receive(self, name: str, transfer: Transfer, key: tuple[str, int]) -> None:
        started = time.monotonic()
        try:
            shard = self._shards.get(name, transfer["shard_id"])
            if shard is None:
                return
            self._fetch(name, transfer, shard)
            while time.monotonic() < started + self._faults.get("recovery_seconds", 0):
                time.sleep(PING_SECONDS / 10)
                if not any(t["started"] == transfer["started"] for t in self._transfers(name)):
                    return
            self._propose("finish_transfer", name, transfer={**transfer})
        except (UnreachableError, RefusedError) as error:
            log.warning("transfer of shard %s:%s failed: %s", name, transfer["shard_id"], error)
            try:
                self._propose("abort_transfer", name, transfer={**transfer})
            except RefusedError as refused:
                log.info("%s", refused)
        finally:
            self._receiving.discard(key)

    def _fetch(self, name: str, transfer: Transfer, shard: Shard) -> None:
        source, start = transfer["from"], 0
        request = {"kind": "export", "collection": name, "shard": transfer["shard_id"]}
        while True:
            page = {**request, "start": start, "limit": PAGE}
            points = self._access.ask(source, page, self._metadata.agreed)
            if not points:
                return
            shard.merge(points)
            start += len(points)

    def _transfers(self, name: str) -> Iterator[Transfer]:
        collection = self._metadata.document["collections"].get(name)
        yield from collection["transfers"] if collection else ()

    def _answers(self, peer: int) -> bool:
        uri = self._metadata.document["peers"].get(str(peer))
        if uri is None:
            return False
        try:
            send(uri, "/consensus/commit", {"to": peer}, PING_SECONDS)
        except (UnreachableError, RefusedError):
            return False
        return True

    def _propose(self, kind: str, name: str, **fields: object) -> None:
        operation: Operation = {"kind": kind, "peer": self._peer_id, "name": name}
        self._metadata.propose({**operation, **fields})  # type: ignore[typeddict-item]
