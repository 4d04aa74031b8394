"""The points of the shards that this node holds, in `collections/<name>/<shard id>/points.jsonl`.

Each write appends to that log before it is acknowledged, so a killed process loses none of them.
"""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

from qdrant_standin.metadata import Collection, Document
from qdrant_standin.storage import write_whole

Point = dict[str, Any]
PointId = int | str

VERSION_FILE = "version.info"


class NewerStorageError(Exception):
    """The storage was written by a later version than this one."""


def order(point_id: PointId) -> tuple[bool, int, str]:
    """The order in which points are listed: numbers first, then UUIDs."""
    if isinstance(point_id, int):
        return False, point_id, ""
    return True, 0, point_id


class Shard:
    """One replica of one shard: its points in memory, and the log they are read back from."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / "points.jsonl"
        self._points: dict[PointId, Point] = {}
        self._lock = threading.Lock()
        for point in _read(path):
            self._points[point["id"]] = point
        # Rewritten without superseded points, and without the line a crash may have cut short.
        write_whole(path, "".join(f"{json.dumps(point)}\n" for point in self._points.values()))
        self._log = path.open("a")

    def upsert(self, points: list[Point]) -> None:
        with self._lock:
            self._log.writelines(f"{json.dumps(point)}\n" for point in points)
            self._log.flush()
            self._points.update((point["id"], point) for point in points)

    def scroll(self, offset: PointId | None, limit: int) -> list[Point]:
        """Up to `limit` points in order, from `offset` on."""
        with self._lock:
            ids = [i for i in self._points if offset is None or order(i) >= order(offset)]
            return [self._points[i] for i in sorted(ids, key=order)[:limit]]

    def count(self) -> int:
        return len(self._points)

    def close(self) -> None:
        self._log.close()


class LocalShards:
    """All shards of this node; follows the agreed document by `on_commit`."""

    def __init__(self, storage: Path, peer_id: int, version: str) -> None:
        self._root = storage / "collections"
        self._peer_id = peer_id
        self._version = version
        self._shards: dict[tuple[str, int], Shard] = {}

    def open(self, document: Document) -> None:
        """Load what is stored; raises `NewerStorageError`."""
        for name, collection in document["collections"].items():
            self._check_version(name)
            self._create(name, collection)

    def on_commit(self, before: Document, after: Document) -> None:
        """Create and delete collections so that they are those of `after`."""
        for name, collection in before["collections"].items():
            successor = after["collections"].get(name)
            if successor is None or successor["created"] != collection["created"]:
                self._delete(name)
        for name, collection in after["collections"].items():
            self._create(name, collection)

    def get(self, collection: str, shard: int) -> Shard | None:
        return self._shards.get((collection, shard))

    def _create(self, name: str, collection: Collection) -> None:
        directory = self._root / name
        directory.mkdir(parents=True, exist_ok=True)
        write_whole(directory / VERSION_FILE, self._version)
        for shard, replicas in collection["shards"].items():
            key = name, int(shard)
            if str(self._peer_id) in replicas and key not in self._shards:
                self._shards[key] = Shard(directory / shard)

    def _delete(self, name: str) -> None:
        for key in [key for key in self._shards if key[0] == name]:
            self._shards.pop(key).close()
        shutil.rmtree(self._root / name, ignore_errors=True)

    def _check_version(self, name: str) -> None:
        file = self._root / name / VERSION_FILE
        stored = file.read_text().strip() if file.exists() else "0.0.0"
        if _parsed(stored) > _parsed(self._version):
            raise NewerStorageError(
                f"Data version {stored} is newer than application version {self._version}. "
                "Please upgrade the application. Compatibility is not guaranteed."
            )


def _parsed(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _read(path: Path) -> list[Point]:
    if not path.exists():
        return []
    complete, _, _cut_short = path.read_text().rpartition("\n")
    return [json.loads(line) for line in complete.splitlines()]
