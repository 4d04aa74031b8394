"""The metadata that all peers agree on, and the operations that change it.

A document is JSON. `changed` is pure: it never touches the document it is given.
"""

from __future__ import annotations

import copy
from typing import Any, NotRequired, Protocol, TypedDict

# shard id -> peer id -> replica state; keys are strings because the document is JSON
ShardMap = dict[str, dict[str, str]]


class Collection(TypedDict):
    """A collection's configuration and where its shards are; `created` tells namesakes apart."""

    created: int
    vectors: dict[str, Any]
    shard_number: int
    replication_factor: int
    write_consistency_factor: int
    shards: ShardMap


class Document(TypedDict):
    """Peers by id with their URI, which of them vote, and the collections by name."""

    peers: dict[str, str]
    voters: list[int]
    collections: dict[str, Collection]


class Operation(TypedDict):
    """One change of the document; `peer` is who asks for it or whom it is about."""

    kind: str
    peer: int
    uri: NotRequired[str]
    name: NotRequired[str]
    collection: NotRequired[dict[str, Any]]


class RefusedError(Exception):
    """An operation that cannot be carried out, with the HTTP status that says so."""

    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.description = description


class Metadata(Protocol):
    """The agreed document as one peer knows it."""

    peer_id: int

    @property
    def document(self) -> Document:
        """The newest agreed document; not to be changed by the reader."""

    @property
    def commit(self) -> int:
        """The index of the newest agreed document."""

    def propose(self, operation: Operation) -> None:
        """Have all peers agree on `operation`; returns when this one knows. Raises `RefusedError`."""

    def await_index(self, index: int) -> None:
        """Wait until what was agreed on at `index` is known here; raises `RefusedError` if it never is."""

    def await_everywhere(self) -> None:
        """Wait until all peers that answer know what this one knows."""


def empty_document() -> Document:
    """A document without peers, as a peer has it before it belongs to a cluster."""
    return {"peers": {}, "voters": [], "collections": {}}


def changed(document: Document, operation: Operation, index: int) -> Document:
    """`document` after `operation`, whose place in the log is `index`; raises `RefusedError`."""
    document = copy.deepcopy(document)
    match operation["kind"]:
        case "add_peer":
            document["peers"][str(operation["peer"])] = operation["uri"]
        case "promote_peer":
            document["voters"] = sorted({*document["voters"], operation["peer"]})
        case "create_collection":
            _create_collection(document, operation, index)
        case "delete_collection":
            document["collections"].pop(operation["name"], None)
        case kind:
            raise RefusedError(400, f"Bad request: unknown operation {kind}")
    return document


def _create_collection(document: Document, operation: Operation, index: int) -> None:
    name, wanted = operation["name"], operation["collection"]
    if name in document["collections"]:
        raise RefusedError(409, f"Wrong input: Collection `{name}` already exists!")
    # A node that runs alone, without a cluster, keeps no list of peers.
    peers = sorted(map(int, document["peers"])) or [operation["peer"]]
    shard_number = wanted["shard_number"] or len(peers)
    document["collections"][name] = {
        "created": index,
        "vectors": wanted["vectors"],
        "shard_number": shard_number,
        "replication_factor": wanted["replication_factor"],
        "write_consistency_factor": wanted["write_consistency_factor"],
        "shards": _placed(shard_number, wanted["replication_factor"], peers),
    }


def _placed(shard_number: int, replication_factor: int, peers: list[int]) -> ShardMap:
    """Spread replicas evenly: each goes to the peer that has the fewest, on as many as there are."""
    load = dict.fromkeys(peers, 0)
    shards: ShardMap = {}
    for shard in range(shard_number):
        chosen = sorted(peers, key=lambda peer: (load[peer], peer))[:replication_factor]
        for peer in chosen:
            load[peer] += 1
        shards[str(shard)] = {str(peer): "Active" for peer in chosen}
    return shards
