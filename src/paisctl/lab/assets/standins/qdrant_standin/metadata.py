"""The metadata that all peers agree on: what is in it, and how one peer sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NotRequired, Protocol, TypedDict

# shard id -> peer id -> replica state; keys are strings because the document is JSON
ShardMap = dict[str, dict[str, str]]

Transfer = TypedDict(
    "Transfer",
    {
        "shard_id": int,
        "from": int,
        "to": int,
        "sync": bool,
        "method": str,
        "started": int,
    },
)
"""A shard on its way to a peer; `sync` copies it, else it moves. `started` tells it from later ones."""


class Collection(TypedDict):
    """A collection's configuration and where its shards are; `created` tells namesakes apart.

    `epochs` is, by shard, the index of the last change of its replicas.
    """

    created: int
    vectors: dict[str, Any]
    shard_number: int
    replication_factor: int
    write_consistency_factor: int
    shards: ShardMap
    transfers: list[Transfer]
    epochs: dict[str, int]


class Document(TypedDict):
    """Peers by id with their URI, which of them vote, the collections by name, and their aliases."""

    peers: dict[str, str]
    voters: list[int]
    collections: dict[str, Collection]
    aliases: dict[str, str]


class Operation(TypedDict):
    """One change of the document; `peer` is who asks for it or whom it is about."""

    kind: str
    peer: int
    uri: NotRequired[str]
    name: NotRequired[str]
    collection: NotRequired[dict[str, Any]]
    parameters: NotRequired[dict[str, int]]
    actions: NotRequired[list[dict[str, Any]]]
    shard: NotRequired[int]
    shards: NotRequired[list[int]]
    state: NotRequired[str]
    transfer: NotRequired[dict[str, Any]]
    priority: NotRequired[str]


@dataclass(frozen=True)
class Entry:
    """One log entry; it holds the whole document, so the newest replaces all before it."""

    index: int
    term: int
    document: Document

    @property
    def position(self) -> tuple[int, int]:
        """What entries are compared by: an entry of a later term wins, however long the other log."""
        return self.term, self.index


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
    def agreed(self) -> Entry:
        """The newest agreed document and its index; not to be changed by the reader."""

    @property
    def document(self) -> Document:
        """The newest agreed document; not to be changed by the reader."""

    @property
    def commit(self) -> int:
        """The index of the newest agreed document."""

    def propose(self, operation: Operation) -> None:
        """Have all peers agree on `operation`; returns when this one knows. Raises `RefusedError`."""

    def await_index(self, index: int, seconds: float = 10) -> None:
        """Wait until what was agreed on at `index` is known here; raises `RefusedError` if it never is."""

    def await_everywhere(self) -> None:
        """Wait until all peers that answer know what this one knows."""


def empty_document() -> Document:
    """A document without peers, as a peer has it before it belongs to a cluster."""
    return {"peers": {}, "voters": [], "collections": {}, "aliases": {}}


def collection_named(document: Document, name: str) -> Collection:
    """A collection by its own name; raises `RefusedError` 404."""
    try:
        return document["collections"][name]
    except KeyError:
        raise RefusedError(404, f"Not found: Collection `{name}` doesn't exist!") from None


def resolved(document: Document, name: str) -> str:
    """The collection that `name`, which may be an alias, stands for; raises `RefusedError` 404."""
    name = document["aliases"].get(name, name)
    collection_named(document, name)
    return name
