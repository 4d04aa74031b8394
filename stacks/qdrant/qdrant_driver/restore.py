"""Brings collections back into a running cluster, node by node.

A node that takes a snapshot with `priority=snapshot` has the shards in it from then on; other Active
replicas of them are set Dead and filled again from it, or removed where there are too many; a collection
that is missing is made from the snapshot's configuration; vectors and the number of shards have to be
those of one that exists (qdrant lib/storage/src/content_manager/snapshots/recover.rs). So every shard is
brought back once, and its other replicas follow. What was uploaded stays in the node's snapshots
(src/actix/api/snapshot_api.rs, do_save_uploaded_snapshot) until it is deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import replace

import httpx

from paisctl.cluster.backup_driver import Kept, Replacement, Stored
from paisctl.cluster.driver import Obstacle, Say
from paisctl.errors import PaisctlError
from qdrant_driver import whole
from qdrant_driver.api import SNAPSHOT_TIMEOUT, Api, QdrantError, path_of
from qdrant_driver.disk import read_disk
from qdrant_driver.nodes import Look, Nodes
from qdrant_driver.shapes import CollectionView, parse_aliases
from qdrant_driver.stored import StoredCollection, collections_in
from qdrant_driver.versions import parse_version

_KIB_PER_GIB = 1024 * 1024
_PATIENCE = 4 * 3600.0  # seconds for all replicas of what was brought back to be filled again


class Restoring:
    """One backup that is to be brought back.

    Args:
        nodes: those that answered.
        stored: the backup.
        hold: seconds for which all replicas have to stay Active: they are set Dead a little later.
    """

    def __init__(self, nodes: Nodes, stored: Stored, hold: float) -> None:
        self._nodes = nodes
        self._stored = stored
        self._hold = hold

    # ---- before ----------------------------------------------------------------------------

    def obstacles(self, only: Collection[str]) -> list[Obstacle]:
        """All reasons not to begin."""
        wanted = collections_in(self._stored, only)
        found = [
            Obstacle(f"the backup has no collection {name}", "its collections: paisctl backup list")
            for name in sorted(set(only) - set(wanted))
        ]
        look = self._nodes.look(collections=True)
        found += whole.consensus(look)
        found += whole.replicas(_without(look, wanted))
        found += self._versions(look)
        existing = _views(look)
        for collection in wanted.values():
            found += self._gaps(collection)
            found += self._space(collection)
            found += _differences(collection, existing.get(collection.name))
        return found

    def _versions(self, look: Look) -> list[Obstacle]:
        """Snapshots go to the same minor version or the next one ("Snapshots", documentation)."""
        found = []
        taken = {device: parse_version(v) for device, v in self._stored.versions.items()}
        for node, _ in look.views():
            running = parse_version(node.version)
            for device, old in taken.items():
                if running is None or old is None:
                    what = f"no version: {node.version}, {self._stored.versions[device]} then"
                    found.append(Obstacle(what, device=node.device))
                elif running.major != old.major or running.minor - old.minor not in (0, 1):
                    found.append(
                        Obstacle(
                            f"it runs {running}, the snapshots of {device} are of {old}",
                            f"they go into {old.major}.{old.minor} or {old.major}.{old.minor + 1}",
                            node.device,
                        )
                    )
        return found

    def _gaps(self, collection: StoredCollection) -> list[Obstacle]:
        found = []
        if collection.lacking:
            numbers = ", ".join(map(str, collection.lacking))
            what = f"{collection.name}: the backup does not have shard {numbers}"
            found.append(Obstacle(what, "take another: paisctl backup list"))
        found += [
            Obstacle(f"the snapshot of {collection.name} is of it, and it does not answer", "", d)
            for d in {piece.device for piece in collection.cover()}
            if d not in self._nodes.devices
        ]
        return found

    def _space(self, collection: StoredCollection) -> list[Obstacle]:
        """A node keeps what is uploaded, and unpacks it below its storage (recover.rs)."""
        found = []
        for piece in collection.cover():
            if piece.device not in self._nodes.devices:
                continue
            try:
                disk = read_disk(self._nodes.member(piece.device))
            except PaisctlError as error:
                found.append(Obstacle(error.message, device=piece.device))
                continue
            needed = piece.size // 1024
            room = disk.storage_free - needed * (2 if disk.shared else 1)
            if room <= 0 or disk.snapshots_free <= needed:
                free = min(disk.storage_free, disk.snapshots_free) / _KIB_PER_GIB
                what = f"{free:.1f} GiB are free, {collection.name} takes {needed / _KIB_PER_GIB:.1f} twice"
                found.append(Obstacle(what, "free some space there", piece.device))
        return found

    def replacements(self, only: Collection[str]) -> list[Replacement]:
        """What is replaced, collection by collection."""
        look = self._nodes.look(collections=True)
        existing = _views(look)
        aliases = self._aliases()
        return [
            _replacement(collection, self._now(collection.name, existing), aliases)
            for collection in collections_in(self._stored, only).values()
        ]

    def _now(self, name: str, existing: Mapping[str, CollectionView]) -> str:
        return f"{self._count(name)} points" if name in existing else ""

    # ---- doing it --------------------------------------------------------------------------

    def restore(self, replacement: Replacement, say: Say) -> str:
        """Bring one collection back; how many points it has then."""
        name = replacement.name
        for piece in replacement.pieces:
            say(f"{piece.device}: takes {name}, {len(piece.about['shards'])} shards")
            with self._nodes.api(piece.device) as api:
                self._upload(api, name, piece, say)
            say(f"{name}: waits until all replicas have it")
            self._nodes.wait(self._unsettled(name), _PATIENCE, f"all replicas of {name} Active")
        self._put_aliases(collections_in(self._stored, [name])[name], say)
        return self._counted(name)

    def _counted(self, name: str) -> str:
        """How many points all nodes find; each asks the replicas that it has itself."""
        counts = {device: self._count(name, device) for device in self._nodes.devices}
        if len(set(counts.values())) == 1:
            return f"{counts[self._nodes.devices[0]]} points"
        each = ", ".join(f"{device} {count}" for device, count in counts.items())
        return f"points, by node: {each}; they agree once nobody writes, or restore it again"

    def _upload(self, api: Api, name: str, piece: Kept, say: Say) -> None:
        """Have a node take a snapshot, and remove the file of it, which Qdrant keeps among its own."""
        file = f"restore-{piece.sha256[:16]}.snapshot"
        try:
            with closing(self._stored.chunks(piece)) as chunks:
                api.upload(
                    path_of(name, "snapshots", "upload"),
                    file,
                    chunks,
                    piece.size,
                    priority="snapshot",
                    wait=True,
                    checksum=piece.sha256,
                )
        finally:
            try:
                api.delete(path_of(name, "snapshots", file), SNAPSHOT_TIMEOUT)
            except QdrantError as error:
                if error.status != httpx.codes.NOT_FOUND:
                    say(f"{piece.device}: {file} stays among its snapshots: {error.message}")

    def _unsettled(self, name: str) -> Callable[[], str]:
        """Says what is not whole yet, until all has been whole for a while."""
        since: list[float] = []

        def missing() -> str:
            look = self._nodes.look()
            wrong = [*whole.consensus(look), *whole.replicas(look)]
            if not wrong and not any(name in node.shards for node in look.nodes.values()):
                wrong = [Obstacle(f"{name} is not there")]
            if wrong:
                since.clear()
                return str(wrong[0])
            since.append(self._nodes.clock())
            held = since[-1] - since[0]
            return "" if held >= self._hold else f"all Active for {held:.0f} s"

        return missing

    def _put_aliases(self, collection: StoredCollection, say: Say) -> None:
        existing = self._aliases()
        missing = [alias for alias in collection.aliases if alias not in existing]
        if not missing:
            return
        actions = [
            {"create_alias": {"alias_name": alias, "collection_name": collection.name}}
            for alias in missing
        ]
        with self._api() as api:
            api.post("/collections/aliases", {"actions": actions})
        say(f"{collection.name}: also called {', '.join(missing)} again")

    def _aliases(self) -> dict[str, str]:
        with self._api() as api:
            return parse_aliases(api.get("/aliases"))

    def _count(self, name: str, device: str = "") -> int:
        with self._nodes.api(device or self._nodes.devices[0]) as api:
            return int(api.post(path_of(name, "points", "count"), {"exact": True})["count"])

    def _api(self) -> AbstractContextManager[Api]:
        return self._nodes.api(self._nodes.devices[0])


def _without(look: Look, names: Collection[str]) -> Look:
    """What the nodes say about all but some collections: what is lost there is why they come back."""
    nodes = {
        device: replace(node, shards={n: s for n, s in node.shards.items() if n not in names})
        for device, node in look.nodes.items()
    }
    return replace(look, nodes=nodes)


def _views(look: Look) -> dict[str, CollectionView]:
    return {n: view for node, _ in look.views() for n, view in node.collections.items()}


def _differences(collection: StoredCollection, now: CollectionView | None) -> list[Obstacle]:
    """Why a collection does not fit to the one of its name that exists, or cannot be made."""
    then, name = collection.view, collection.name
    if now is None:
        if then.config["params"].get("sharding_method") == "custom":
            what = f"{name} has shards by key, and is not there"
            return [Obstacle(what, f"create {name} and its shard keys first, as they were")]
        return []
    found = []
    if then.config["params"].get("vectors") != now.config["params"].get("vectors"):
        found.append("its vectors are configured otherwise than in the backup")
    if then.shard_number != now.shard_number:
        found.append(f"it has {now.shard_number} shards, {then.shard_number} in the backup")
    hint = f"Qdrant takes it only as a new one: back {name} up, delete it, then restore"
    return [Obstacle(f"{name}: {what}", hint) for what in found]


def _replacement(collection: StoredCollection, now: str, aliases: Mapping[str, str]) -> Replacement:
    pieces = collection.cover()
    then = f"{collection.points} points, {len(collection.shards)} shards, from {_devices(pieces)}"
    notes = []
    for alias in collection.aliases:
        target = aliases.get(alias)
        if target is None:
            notes.append(f"the alias {alias} is made again")
        elif target != collection.name:
            notes.append(f"the alias {alias} stays with {target}")
    return Replacement(collection.name, now, then, pieces, tuple(notes))


def _devices(pieces: Collection[Kept]) -> str:
    return ", ".join(dict.fromkeys(piece.device for piece in pieces))
