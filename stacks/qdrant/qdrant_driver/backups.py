"""Copies a cluster's data away: a snapshot of each collection on each node, and what is around them.

A snapshot of a collection holds the shards that are on its node ("Snapshots" in Qdrant's
documentation; lib/collection/src/collection/snapshots.rs), so all nodes together have all data, each
shard as often as it has replicas.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx

from paisctl.cluster.backup_driver import Kept, Lost, Piece, Replacement, Stored
from paisctl.cluster.driver import Obstacle, Say
from paisctl.cluster.member import Member
from paisctl.errors import PaisctlError
from qdrant_driver import restore_plan, snapshots
from qdrant_driver.api import Api, QdrantError, path_of
from qdrant_driver.disk import Disk, read_disk
from qdrant_driver.nodes import Nodes
from qdrant_driver.restore import Restoring
from qdrant_driver.shapes import (
    ShardMap,
    SnapshotInfo,
    parse_aliases,
    parse_collections,
    parse_shard_map,
)
from qdrant_driver.stored import AROUND, CONFIG, gaps

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

    def pieces(
        self, device: str, only: Collection[str] = (), say: Say = lambda _: None
    ) -> Generator[Piece | Lost]:
        with self._nodes.api(device) as api:
            found = parse_collections(api.get("/collections"))
            around = {
                "version": api.version(),
                "cluster": api.get("/cluster"),
                "aliases": parse_aliases(api.get("/aliases")),
                "collections": {},
            }
            disk = self._disk(device, say)
            for name in (each for each in found if not only or each in only):
                yield from _Share(api, name, disk, around["collections"], say).pieces()
            yield _json_piece(AROUND, around)

    def missing(self, stored: Stored, only: Collection[str] = ()) -> dict[str, str]:
        return gaps(stored, only)

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
        return restore_plan.obstacles(self._nodes, stored, only)

    def replacements(self, stored: Stored, only: Collection[str] = ()) -> list[Replacement]:
        return restore_plan.replacements(self._nodes, stored, only)

    def restore(self, stored: Stored, replacement: Replacement, say: Say) -> str:
        return Restoring(self._nodes, stored, self._hold).restore(replacement, say)

    def _disk(self, device: str, say: Say) -> Disk | None:
        try:
            return read_disk(self._nodes.member(device))
        except PaisctlError as error:
            say(f"{error.message}; whether there is room for snapshots is not known")
            return None


@dataclass(frozen=True)
class _Share:
    """What one node has of a collection.

    Attributes:
        disk: of the node; None where it could not be read.
        told: takes what is to be known of the collection beside its points, by its name; as it came, for
            whoever reads it. Empty for one that could not be asked about, nothing for a deleted one.
    """

    api: Api
    name: str
    disk: Disk | None
    told: dict[str, Any]
    say: Say

    def pieces(self) -> Generator[Piece | Lost]:
        """Make a snapshot, hand it on, and remove it from the node."""
        try:
            self.told[self.name] = {}
            made = self._made()
        except QdrantError as error:
            if error.status == httpx.codes.NOT_FOUND:  # deleted since it was listed
                del self.told[self.name]
            else:
                yield Lost(self.name, error.message.removeprefix(f"{self.api.device}: "))
            return
        if made is None or isinstance(made, Lost):
            yield from [made] if made else []
            return
        snapshot, about = made
        path = path_of(self.name, "snapshots", snapshot.name)
        try:
            yield _snapshot_piece(self.api, path, self.name, snapshot, about)
        finally:  # nobody wants it any more, and every night's would fill the disk
            self._remove(snapshot)

    def _made(self) -> tuple[SnapshotInfo, dict[str, Any]] | Lost | None:
        """A snapshot and what is to be known of it; None where the node has no share."""
        info, shards = self.api.get(path_of(self.name)), self.api.get(path_of(self.name, "cluster"))
        self.told[self.name] = {"info": info, "shards": shards}
        about = _about(self.api, self.name, parse_shard_map(shards))
        if not about:
            return None
        if self.disk and (short := self.disk.short_for(self.name)):
            return Lost(self.name, short)
        return snapshots.create(self.api, self.name), about

    def _remove(self, snapshot: SnapshotInfo) -> None:
        try:
            snapshots.delete(self.api, self.name, snapshot.name)
        except QdrantError as error:
            if error.status != httpx.codes.NOT_FOUND:
                self.say(f"{error.message}; {snapshot.name} stays among its snapshots")


def _json_piece(path: str, value: Any) -> Piece:
    content = json.dumps(value, indent=1, ensure_ascii=False).encode()

    def read() -> Generator[bytes]:
        yield content

    return Piece(path, "json", read, len(content))


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
