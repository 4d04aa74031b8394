"""The REST API of the cluster: its members, and where the replicas of a collection are."""

from __future__ import annotations

from typing import Any

from standin_http import Request, Router

from qdrant_standin import requests, views
from qdrant_standin.envelope import enveloped
from qdrant_standin.metadata import Collection, Operation, RefusedError, resolved
from qdrant_standin.node import Node
from qdrant_standin.replicas import FIRST_STATES

DEFAULT_METHOD = "stream_records"


class ClusterApi:
    """Answers `/cluster…` and `/collections/{name}/cluster`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._metadata = node.metadata

    def add_to(self, router: Router) -> None:
        for method, pattern, answer in (
            ("GET", "/cluster", self.cluster),
            ("POST", "/cluster/recover", self.recover),
            ("DELETE", "/cluster/peer/{peer}", self.remove_peer),
            ("GET", "/collections/{name}/cluster", self.collection_cluster),
            ("POST", "/collections/{name}/cluster", self.change_collection_cluster),
        ):
            router.add(method, pattern, enveloped(answer, self._node.faults))

    def cluster(self, _request: Request) -> object:
        return views.cluster(self._node.consensus)

    def recover(self, _request: Request) -> object:
        """Ask for the leader's state; it comes anyway, since each message brings all of it."""
        self._require_cluster()
        return True

    def remove_peer(self, request: Request) -> object:
        self._require_cluster()
        text = request.parameters["peer"]
        if not text.isdigit():
            raise RefusedError(404, "")
        peer = int(text)
        if request.query.get("force") != "true" and any(
            text in holders
            for collection in self._metadata.document["collections"].values()
            for holders in collection["shards"].values()
        ):
            raise RefusedError(
                400, f"Bad request: Cannot remove peer {peer} as there are shards on it"
            )
        self._metadata.propose({"kind": "remove_peer", "peer": peer})
        return True

    def collection_cluster(self, request: Request) -> object:
        name = resolved(self._metadata.document, request.parameters["name"])
        collection = self._node.points.collection(name)
        return views.collection_cluster(name, collection, self._metadata.peer_id, self._node.shards)

    def change_collection_cluster(self, request: Request) -> object:
        self._require_cluster()
        name = resolved(self._metadata.document, request.parameters["name"])
        collection = self._node.points.collection(name)
        match request.json():
            case {"replicate_shard": dict(wanted)}:
                self._start(name, collection, wanted, sync=True)
            case {"move_shard": dict(wanted)}:
                self._start(name, collection, wanted, sync=False)
            case {"abort_transfer": dict(wanted)}:
                transfer = {
                    "shard_id": requests.field(wanted, "shard_id", int),
                    "from": requests.field(wanted, "from_peer_id", int),
                    "to": requests.field(wanted, "to_peer_id", int),
                }
                self._propose("abort_transfer", name, transfer=transfer)
            case {"drop_replica": dict(wanted)}:
                shard = self._shard(name, collection, wanted)
                peer = requests.field(wanted, "peer_id", int)
                self._check_peer(peer)
                self._propose("drop_replica", name, shard=shard, peer=peer)
            case other:
                raise RefusedError(400, f"Bad request: the stand-in does not do {other}")
        return True

    def _start(
        self, name: str, collection: Collection, wanted: dict[str, Any], *, sync: bool
    ) -> None:
        method = wanted.get("method") or DEFAULT_METHOD
        if method not in FIRST_STATES:
            raise RefusedError(400, f"Format error in JSON body: unknown variant `{method}`")
        transfer: dict[str, Any] = {
            "shard_id": self._shard(name, collection, wanted),
            "from": requests.field(wanted, "from_peer_id", int),
            "to": requests.field(wanted, "to_peer_id", int),
            "sync": sync,
            "method": method,
        }
        self._check_peer(transfer["to"])
        self._check_peer(transfer["from"])
        self._propose("start_transfer", name, transfer=transfer)

    def _shard(self, name: str, collection: Collection, wanted: dict[str, Any]) -> int:
        shard: int = requests.field(wanted, "shard_id", int)
        if str(shard) not in collection["shards"]:
            raise RefusedError(400, f"Bad request: Shard {shard} of {name} does not exist")
        return shard

    def _check_peer(self, peer: int) -> None:
        if str(peer) not in self._metadata.document["peers"]:
            raise RefusedError(400, f"Bad request: Peer {peer} does not exist")

    def _propose(self, kind: str, name: str, **fields: object) -> None:
        operation: Operation = {"kind": kind, "peer": self._metadata.peer_id, "name": name}
        self._metadata.propose({**operation, **fields})  # type: ignore[typeddict-item]

    def _require_cluster(self) -> None:
        if self._node.consensus is None:
            raise RefusedError(400, "Qdrant is running in standalone mode")
