"""What a backup of a cluster has, as its files say it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from paisctl.cluster.backup_driver import Kept, Stored
from qdrant_driver.shapes import CollectionView, parse_collection, parse_shard_map

AROUND = "cluster.json"  # aliases, configurations and the shard map, as a node saw them
CONFIG = "config.json"  # in a snapshot (lib/collection/src/config.rs, COLLECTION_CONFIG_FILE)


@dataclass(frozen=True)
class StoredCollection:
    """A collection in a backup.

    Attributes:
        view: as it was.
        shards: the ids of all its shards.
        aliases: the names that meant it.
        pieces: the snapshots that have some of it, whole ones only.
    """

    name: str
    view: CollectionView
    shards: frozenset[int]
    aliases: tuple[str, ...]
    pieces: tuple[Kept, ...]

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
    """The collections of a backup, by name; `only` some if names are given."""
    found: dict[str, StoredCollection] = {}
    for around in (each for each in stored.pieces if each.name == AROUND):
        seen = stored.json(around)
        for name, data in seen["collections"].items():
            if name not in found and (not only or name in only):
                found[name] = _collection(name, data, seen["aliases"], stored)
    return found


def _collection(
    name: str, data: Mapping[str, Any], aliases: Mapping[str, str], stored: Stored
) -> StoredCollection:
    return StoredCollection(
        name,
        parse_collection(data["info"]),
        frozenset(each.shard_id for each in parse_shard_map(data["shards"]).replicas),
        tuple(sorted(alias for alias, target in aliases.items() if target == name)),
        # A replica that was being repaired would come back as it was then, and win over whole ones.
        tuple(
            each
            for each in stored.pieces
            if each.about.get("collection") == name and not each.about.get("stale")
        ),
    )
