"""Putting the shards of a snapshot in place on this node (Qdrant's snapshots/recover.rs)."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

from qdrant_standin.faults import Faults, parsed_version
from qdrant_standin.metadata import Metadata, RefusedError
from qdrant_standin.shards import (
    VERSION_FILE,
    LocalShards,
    NewerStorageError,
    Point,
    deserialized,
)
from qdrant_standin.snapshots import CONFIG_FILE, counted

PRIORITIES = ("no_sync", "snapshot", "replica")


class Restore:
    """Recovers collections on this node."""

    def __init__(
        self, metadata: Metadata, shards: LocalShards, version: str, faults: Faults
    ) -> None:
        self._metadata = metadata
        self._shards = shards
        self._version = version
        self._faults = faults
        self.running: Counter[str] = Counter()

    def recover(self, name: str, file: Path, priority: str) -> None:
        """Have the shards of the snapshot in `file` on this node; nothing else of it has to exist.

        `priority` says who is right where there are other active replicas: `snapshot`, `replica`, or
        nobody (`no_sync`). Raises `RefusedError`, mostly before anything is changed.
        """
        configuration, content = self._read(file)
        with counted(self.running, name):
            self._ensure_collection(name, configuration)
            peer, shards = self._metadata.peer_id, sorted(content)
            left = self._shards.of(name) if self._faults.get("recovery_forgets", False) else ()
            begun = sorted({*shards, *left})
            self._metadata.propose(
                {"kind": "begin_restore", "peer": peer, "name": name, "shards": begun}
            )
            for shard_id, points in content.items():
                shard = self._shards.get(name, shard_id)
                if shard is None:
                    raise RefusedError(500, f"Service internal error: shard {shard_id} has gone")
                shard.replace(points)
            self._metadata.propose(
                {
                    "kind": "finish_restore",
                    "peer": peer,
                    "name": name,
                    "shards": shards,
                    "priority": priority,
                }
            )

    def _ensure_collection(self, name: str, configuration: dict[str, Any]) -> None:
        """Create the collection of a snapshot, or check that the snapshot fits to the one there is."""
        metadata = self._metadata
        existing = metadata.document["collections"].get(name)
        if existing is None:
            metadata.propose(
                {
                    "kind": "create_collection",
                    "peer": metadata.peer_id,
                    "name": name,
                    "collection": configuration,
                }
            )
            metadata.await_everywhere()
            return
        for key, title in (("vectors", "vectors"), ("shard_number", "shard number")):
            if configuration[key] != existing[key]:  # type: ignore[literal-required]
                raise RefusedError(
                    400,
                    "Wrong input: Snapshot is not compatible with existing collection: "
                    f"Collection {title}: {existing[key]} Snapshot {title}: {configuration[key]}",  # type: ignore[literal-required]
                )

    def _read(self, file: Path) -> tuple[dict[str, Any], dict[int, list[Point]]]:
        """A snapshot's configuration and its points by shard; raises `RefusedError`."""
        content: dict[int, list[Point]] = {}
        try:
            with tarfile.open(file) as archive:
                files = {
                    member.name: extracted.read().decode()
                    for member in archive.getmembers()
                    if not member.issparse() and (extracted := archive.extractfile(member))
                }
            version, configuration = files.pop(VERSION_FILE), json.loads(files.pop(CONFIG_FILE))
            for path, text in files.items():
                content[int(path.split("/")[0])] = deserialized(text)
        except (tarfile.TarError, KeyError, ValueError) as error:
            raise RefusedError(
                500, f"Service internal error: failed to unpack snapshot archive: {error!r}"
            ) from error
        if parsed_version(version)[:2] > parsed_version(self._version)[:2]:
            newer = NewerStorageError(version, self._version)
            raise RefusedError(500, f"Service internal error: {newer}")
        return configuration, content
