"""What a backup of a cluster has, as its files say it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from paisctl.cluster.backup_driver import Kept, Stored
from qdrant_driver.api import QdrantError
from qdrant_driver.shapes import (
    WORKING,
    CollectionView,
    Replica,
    parse_cluster,
    parse_collection,
    parse_shard_map,
)

AROUND = "cluster.json"  # aliases, configurations and the shard map, as a node saw them
CONFIG = "config.json"  # in a snapshot (lib/collection/src/config.rs, COLLECTION_CONFIG_FILE)


@dataclass(frozen=True)
class StoredCollection:
    """A collection in a backup.

    Attributes:
        view: as it was.
        replicas: of its shards, as a node saw them.
        aliases: the names that meant it.
        pieces: the snapshots that have some of it, whole ones only.
    """

    name: str
    view: CollectionView
    replicas: tuple[Replica, ...]
    aliases: tuple[str, ...]
    pieces: tuple[Kept, ...]

    @property
    def shards(self) -> frozenset[int]:
        """The ids of all its shards."""
        return frozenset(each.shard_id for each in self.replicas)

    @property
    def points(self) -> int | None:
        """How many it had; None if nobody knew."""
        known = [each.about.get("points") for each in self.pieces]
        return max((count for count in known if isinstance(count, int)), default=self.view.points)

    @property
    def lacking(self) -> list[int]:
        """The shards that are in no snapshot."""
        return sorted(self.shards - {shard for each in self.pieces for shard in shards_of(each)})

    def cover(self) -> tuple[Kept, ...]:
        """As few snapshots as have every shard, the oldest first.

        Where two of them have the same shard, the later one has its say, as it is brought back last.
        """
        rest, chosen = set(self.shards), []
        while rest & {shard for each in self.pieces for shard in shards_of(each)}:
            best = max(self.pieces, key=lambda each: len(rest & shards_of(each)))
            chosen.append(best)
            rest -= shards_of(best)
        return tuple(sorted(chosen, key=lambda each: str(each.about.get("created") or "")))


def shards_of(piece: Kept) -> frozenset[int]:
    """The shards in a snapshot."""
    return frozenset(piece.about.get("shards", ()))


def collections_in(stored: Stored, only: Collection[str] = ()) -> dict[str, StoredCollection]:
    """The collections of a backup, by name; `only` some if names are given.

    Raises:
        QdrantError: the files that tell of them cannot be understood.
        HostError: they cannot be read, or are not as they were written.
    """
    found: dict[str, StoredCollection] = {}
    for _, seen in _around(stored):
        for name, data in seen["collections"].items():
            if name not in found and (not only or name in only) and "info" in data:
                found[name] = _collection(name, data, seen["aliases"], stored)
    return found


def gaps(stored: Stored, only: Collection[str] = ()) -> dict[str, str]:
    """Shards that no snapshot has whole, and collections that nobody could tell of; why, by name.

    Collections that were made or deleted while the backup was made are none of it: those that count
    are known to every node whose consensus worked.

    Raises:
        QdrantError, HostError: as `collections_in`.
    """
    if not (told := _around(stored)):  # a part of a backup, in which nobody tells of anything
        return {}
    current = [seen for _, seen in told if _is_current(seen["cluster"])] or [s for _, s in told]
    names = set(only) or {name for seen in current for name in seen["collections"]}
    expected = [n for n in sorted(names) if only or all(n in s["collections"] for s in current)]
    collections = collections_in(stored, only)
    found = {}
    for name in expected:
        if name not in collections:
            found[name] = "no node could tell of it"
            continue
        for shard in collections[name].lacking:
            found[f"shard {shard} of {name}"] = _where(told, name, shard)
    return found


def _around(stored: Stored) -> list[tuple[Kept, dict[str, Any]]]:
    """What each node told, in the order in which they were asked."""
    found = []
    for piece in (each for each in stored.pieces if each.name == AROUND):
        seen = stored.json(piece)
        for key in ("cluster", "aliases", "collections"):
            if not isinstance(seen, dict) or not isinstance(seen.get(key), dict):
                raise QdrantError(f"{piece.path} has no usable `{key}`", "take another backup")
        if not all(isinstance(data, dict) for data in seen["collections"].values()):
            raise QdrantError(f"{piece.path} has no usable `collections`", "take another backup")
        found.append((piece, seen))
    return found


def _is_current(cluster: Mapping[str, Any]) -> bool:
    """Whether a node knew what the others had agreed on."""
    if cluster.get("status") == "disabled":
        return True
    view = parse_cluster(cluster)
    return view.consensus == WORKING and view.leader is not None


def _where(told: Collection[tuple[Kept, Mapping[str, Any]]], name: str, shard: int) -> str:
    """Why a shard is in no snapshot: where it is, and in which state."""
    devices = {int(seen["cluster"].get("peer_id", 0)): piece.device for piece, seen in told}
    places: dict[str, str] = {}
    for _, seen in told:
        data, peers = seen["collections"].get(name, {}), seen["cluster"].get("peers") or {}
        for each in parse_shard_map(data["shards"]).replicas if "shards" in data else ():
            if each.shard_id != shard:
                continue
            known = peers.get(str(each.peer_id), {}).get("uri") or f"peer {each.peer_id}"
            place = devices.get(each.peer_id, str(known).rstrip("/"))
            if each.peer_id not in devices:
                places[place] = "not in the backup"
            elif not each.is_active or place not in places:
                places[place] = each.state
    return "no snapshot has it whole; it is on " + ", ".join(
        f"{p} ({s})" for p, s in places.items()
    )


def _collection(
    name: str, data: Mapping[str, Any], aliases: Mapping[str, str], stored: Stored
) -> StoredCollection:
    return StoredCollection(
        name,
        parse_collection(data["info"]),
        parse_shard_map(data.get("shards")).replicas,
        tuple(sorted(alias for alias, target in aliases.items() if target == name)),
        # A replica that was being repaired would come back as it was then, and win over whole ones.
        tuple(
            each
            for each in stored.pieces
            if each.about.get("collection") == name and not each.about.get("stale")
        ),
    )
