"""Copies a cluster's data away: a snapshot of each collection on each node, and what is around them.

A snapshot of a collection holds the shards that are on its node ("Snapshots" in Qdrant's
documentation; lib/collection/src/collection/snapshots.rs), so all nodes together have all data, each
shard as often as it has replicas.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx

from paisctl.cluster.backup_driver import Kept, Piece, Replacement, Stored
from paisctl.cluster.driver import Obstacle, Say
from paisctl.cluster.member import Member
from qdrant_driver.api import SNAPSHOT_TIMEOUT, Api, QdrantError, path_of
from qdrant_driver.nodes import Nodes
from qdrant_driver.restore import Restoring
from qdrant_driver.shapes import (
    ShardMap,
    SnapshotInfo,
    parse_aliases,
    parse_collections,
    parse_shard_map,
    parse_snapshot,
)
from qdrant_driver.stored import AROUND, CONFIG

_CHUNK = 1 << 18
_LONGEST = 150  # characters of a file's name that are the collection's


class Backups:
    """The BackupDriver of Qdrant.

    Args:
        members: the nodes that can be asked.
        hold: seconds that all replicas have to stay Active after a shard was brought back.
    """

    def __init__(self, members: Sequence[Member], hold: float = 5.0) -> None:
        self._nodes = Nodes(members)
        self._hold = hold

    def version(self, device: str) -> str:
        with self._nodes.api(device) as api:
            return api.version()

    def pieces(self, device: str, only: Collection[str] = ()) -> Generator[Piece]:
        with self._nodes.api(device) as api:
            found = parse_collections(api.get("/collections"))
            wanted = [name for name in found if not only or name in only]
            views = {name: view for name in wanted if (view := _around(api, name))}
            around = {
                "version": api.version(),
                "cluster": api.get("/cluster"),
                "aliases": parse_aliases(api.get("/aliases")),
                "collections": views,
            }
            yield _json_piece(AROUND, around)
            for name in views:
                yield from _snapshot(api, name)

    def check(self, stored: Stored, piece: Kept) -> None:
        """Read the configuration in a snapshot: what Qdrant reads first when it takes one."""
        if piece.kind != "tar":
            return
        try:
            configuration = json.loads(stored.member(piece, CONFIG))
        except ValueError:
            configuration = None
        if not isinstance(configuration, dict):
            raise QdrantError(f"{piece.path}: its {CONFIG} cannot be read: it is no snapshot")

    def obstacles(self, stored: Stored, only: Collection[str] = ()) -> list[Obstacle]:
        return self._restoring(stored).obstacles(only)

    def replacements(self, stored: Stored, only: Collection[str] = ()) -> list[Replacement]:
        return self._restoring(stored).replacements(only)

    def restore(self, stored: Stored, replacement: Replacement, say: Say) -> str:
        return self._restoring(stored).restore(replacement, say)

    def _restoring(self, stored: Stored) -> Restoring:
        return Restoring(self._nodes, stored, self._hold)


def _around(api: Api, name: str) -> dict[str, Any] | None:
    """What is to be known of a collection beside its points; as it came, for whoever reads it."""
    info = _unless_deleted(lambda: api.get(path_of(name)))
    shards = _unless_deleted(lambda: api.get(path_of(name, "cluster")))
    return {"info": info, "shards": shards} if info and shards else None


def _unless_deleted(ask: Callable[[], Any]) -> Any:
    """An answer; None when the collection was deleted since it was listed."""
    try:
        return ask()
    except QdrantError as error:
        if error.status != httpx.codes.NOT_FOUND:
            raise
        return None


def _json_piece(path: str, value: Any) -> Piece:
    content = json.dumps(value, indent=1, ensure_ascii=False).encode()

    def read() -> Generator[bytes]:
        yield content

    return Piece(path, "json", read, len(content))


def _snapshot(api: Api, name: str) -> Generator[Piece]:
    """Make a snapshot of a collection on a node, hand it on, and remove it from the node."""
    seen = _unless_deleted(lambda: api.get(path_of(name, "cluster")))
    if seen is None or not (about := _about(api, name, parse_shard_map(seen))):
        return
    make, options = path_of(name, "snapshots"), {"wait": True}
    made = _unless_deleted(lambda: api.post(make, params=options, timeout=SNAPSHOT_TIMEOUT))
    if made is None:
        return
    snapshot = parse_snapshot(made)
    path = path_of(name, "snapshots", snapshot.name)
    is_kept = False
    try:
        yield _snapshot_piece(api, path, name, snapshot, about)
        is_kept = True
    finally:
        if not is_kept:  # nobody wants it any more, and every night's would fill the disk
            with suppress(QdrantError):
                api.delete(path, SNAPSHOT_TIMEOUT)
    api.delete(path, SNAPSHOT_TIMEOUT)


def _about(api: Api, name: str, shards: ShardMap) -> dict[str, Any]:
    """What has to be known to bring a node's share of a collection back; nothing if it has none."""
    local = [each for each in shards.replicas if each.peer_id == shards.peer_id]
    if not local:
        return {}
    return {
        "collection": name,
        "shards": [each.shard_id for each in local if each.is_active],
        "stale": [each.shard_id for each in local if not each.is_active],
        "points": _count(api, name),
    }


def _snapshot_piece(
    api: Api, path: str, name: str, snapshot: SnapshotInfo, about: dict[str, Any]
) -> Piece:
    return Piece(
        f"{file_name(name)}.snapshot",
        "tar",
        partial(_download, api, path),
        snapshot.size,
        snapshot.checksum,
        about | {"created": snapshot.created},
    )


def file_name(collection: str) -> str:
    """A name for a collection's file that any file system takes, and keeps apart from all others."""
    quoted = quote(collection, safe="")
    if quoted == quoted.lower() and len(quoted) <= _LONGEST:
        return quoted
    # A Mac takes `Notes` and `notes` for one name.
    return f"{quoted[:_LONGEST]}-{hashlib.sha256(collection.encode()).hexdigest()[:12]}"


def _download(api: Api, path: str) -> Generator[bytes]:
    with api.stream(path) as answer:  # unpacked, should it come compressed after all
        yield from answer.iter_bytes(_CHUNK)


def _count(api: Api, name: str) -> int | None:
    """How many points a collection has, on all nodes; None when not all shards can be asked."""
    try:
        return int(api.post(path_of(name, "points", "count"), {"exact": True})["count"])
    except (QdrantError, KeyError, TypeError):
        return None
