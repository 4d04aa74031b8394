"""What a restore would do, and why it may not: asked before anything is changed.

Only what is not to be replaced has to be whole: that a collection is broken is why it comes back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from paisctl.cluster.backup_driver import Kept, Replacement, Stored
from paisctl.cluster.driver import Obstacle
from paisctl.errors import PaisctlError
from qdrant_driver import whole
from qdrant_driver.api import QdrantError, path_of
from qdrant_driver.disk import read_disk
from qdrant_driver.nodes import Look, Nodes
from qdrant_driver.shapes import (
    CollectionView,
    parse_aliases,
    parse_collection,
    parse_collections,
)
from qdrant_driver.stored import StoredCollection, collections_in
from qdrant_driver.versions import parse_version

_KIB_PER_GIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Present:
    """A collection that exists; `view` is None where no node could tell of it, and `problem` says why."""

    view: CollectionView | None
    problem: str = ""


def obstacles(nodes: Nodes, stored: Stored, only: Collection[str]) -> list[Obstacle]:
    """All reasons not to begin."""
    wanted = collections_in(stored, only)
    found = [
        Obstacle(f"the backup has no collection {name}", "its collections: paisctl backup list")
        for name in sorted(set(only) - set(wanted))
    ]
    look = nodes.look(about=lambda name: name not in wanted)
    found += whole.consensus(look)
    found += whole.replicas(look)
    found += _versions(stored, look)
    present = _present(nodes, [node.device for node, _ in look.views()], wanted)
    found += _space(nodes, list(wanted.values()), present)
    for collection in wanted.values():
        found += _gaps(nodes, collection)
        found += _differences(collection, present.get(collection.name))
    return found


def replacements(nodes: Nodes, stored: Stored, only: Collection[str]) -> list[Replacement]:
    """What is replaced, collection by collection."""
    wanted = collections_in(stored, only)
    present = _present(nodes, nodes.devices, wanted)
    with nodes.api(nodes.devices[0]) as api:
        aliases = parse_aliases(api.get("/aliases"))
    return [
        _replacement(collection, _now(nodes, name, present.get(name)), aliases)
        for name, collection in wanted.items()
    ]


def count(nodes: Nodes, name: str, device: str) -> int:
    """How many points a node finds in a collection."""
    with nodes.api(device) as api:
        return int(api.post(path_of(name, "points", "count"), {"exact": True})["count"])


def _present(nodes: Nodes, devices: Sequence[str], names: Collection[str]) -> dict[str, Present]:
    """Those of some collections that exist, as the first of some nodes tells that can."""
    if not devices:
        return {}
    with nodes.api(devices[0]) as api:
        listed = parse_collections(api.get("/collections"))
    return {name: _told(nodes, devices, name) for name in names if name in listed}


def _told(nodes: Nodes, devices: Sequence[str], name: str) -> Present:
    problem = ""
    for device in devices:
        try:
            with nodes.api(device) as api:
                return Present(parse_collection(api.get(path_of(name))))
        except QdrantError as error:
            problem = problem or error.message
    return Present(None, problem)


def _now(nodes: Nodes, name: str, present: Present | None) -> str:
    """What is there, in a few words; that it is broken is no reason not to bring it back."""
    if present is None:
        return ""
    if present.view is None:
        return f"broken: {present.problem}"
    try:
        return f"{count(nodes, name, nodes.devices[0])} points"
    except QdrantError as error:
        return f"points that cannot be counted: {error.message}"


def _versions(stored: Stored, look: Look) -> list[Obstacle]:
    """Snapshots go to the same minor version or the next one ("Snapshots", documentation)."""
    found = []
    taken = {device: parse_version(v) for device, v in stored.versions.items()}
    for node, _ in look.views():
        running = parse_version(node.version)
        for device, old in taken.items():
            if running is None or old is None:
                what = f"no version: {node.version}, {stored.versions[device]} then"
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


def _gaps(nodes: Nodes, collection: StoredCollection) -> list[Obstacle]:
    found = []
    if collection.lacking:
        numbers = ", ".join(map(str, collection.lacking))
        what = f"{collection.name}: the backup does not have shard {numbers}"
        found.append(Obstacle(what, "take another: paisctl backup list"))
    found += [
        Obstacle(f"the snapshot of {collection.name} is of it, and it does not answer", "", d)
        for d in {piece.device for piece in collection.cover()}
        if d not in nodes.devices
    ]
    return found


def _space(
    nodes: Nodes, collections: Sequence[StoredCollection], present: Collection[str]
) -> list[Obstacle]:
    """Whether the nodes have room, in which one collection after the other is brought back.

    A node keeps what is uploaded, and unpacks it below its storage (recover.rs). What is new stays; each
    node has about as much of it then as it had. What is replaced goes only when it is.
    """
    found = []
    for device in nodes.devices:
        new = [c for c in collections if c.name not in present]
        stays = sum(e.size for c in new for e in c.pieces if e.device == device)
        uploads = [(e.size, c) for c in collections for e in c.cover() if e.device == device]
        unpacked = max((size for size, c in uploads if c not in new), default=0)
        if stays or uploads:
            largest = max((size for size, _ in uploads), default=0)
            found += _short(nodes, device, stays + unpacked, largest)
    return found


def _short(nodes: Nodes, device: str, storage: int, upload: int) -> list[Obstacle]:
    """What a node lacks room for: so many bytes below its storage, and an upload."""
    try:
        disk = read_disk(nodes.member(device))
    except PaisctlError as error:
        return [Obstacle(error.message.removeprefix(f"{device}: "), device=device)]
    below = (storage + (upload if disk.shared else 0)) / 1024
    for free, needed in ((disk.storage_free, below), (disk.snapshots_free, upload / 1024)):
        if free <= needed:
            what = f"{free / _KIB_PER_GIB:.1f} GiB are free, {needed / _KIB_PER_GIB:.1f} are needed"
            return [Obstacle(f"{what} to bring it back", "free some space there", device)]
    return []


def _differences(collection: StoredCollection, now: Present | None) -> list[Obstacle]:
    """Why a collection does not fit to the one of its name that exists, or cannot be made."""
    then, name = collection.view, collection.name
    if now is None:
        if then.config["params"].get("sharding_method") == "custom":
            what = f"{name} has shards by key, and is not there"
            return [Obstacle(what, f"create {name} and its shard keys first, as they were")]
        return []
    view = now.view
    if view is None:  # Qdrant itself sees to it then
        return []
    found = []
    if then.config["params"].get("vectors") != view.config["params"].get("vectors"):
        found.append("its vectors are configured otherwise than in the backup")
    if then.shard_number != view.shard_number:
        found.append(f"it has {view.shard_number} shards, {then.shard_number} in the backup")
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
