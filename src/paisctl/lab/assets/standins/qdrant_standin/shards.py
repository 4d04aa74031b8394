"""The points of the shards that this node holds, in `collections/<name>/<shard id>/points.jsonl`.

Each write appends to that log before it is acknowledged, so a killed process loses none of them. A point
carries the time of its write, and the newest wins: replicas agree whatever order writes reach them in.
"""

from __future__ import annotations

import bisect
import itertools
import json
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from qdrant_standin.faults import parsed_version
from qdrant_standin.metadata import Collection, Document
from qdrant_standin.storage import write_whole

# `id`, `vector`, `payload` and `stamp`; one that was deleted has `deleted` and no content.
Point = dict[str, Any]
PointId = int | str
Order = tuple[bool, int, str]

VERSION_FILE = "version.info"
POINTS_FILE = "points.jsonl"


class NewerStorageError(Exception):
    """What is stored was written by a later version than this one."""

    def __init__(self, stored: str, version: str) -> None:
        super().__init__(
            f"Data version {stored} is newer than application version {version}. "
            "Please upgrade the application. Compatibility is not guaranteed."
        )


class OutdatedError(Exception):
    """A write was sent by a peer that did not know yet who holds the shard now."""


def order(point_id: PointId) -> Order:
    """The order in which points are listed: numbers first, then UUIDs."""
    if isinstance(point_id, int):
        return False, point_id, ""
    return True, 0, point_id


def serialized(points: Iterable[Point]) -> str:
    """Points as they are stored."""
    return "".join(f"{json.dumps(point, separators=(',', ':'))}\n" for point in points)


def deserialized(text: str) -> list[Point]:
    """Stored points, without a last line that a crash has cut short."""
    complete, _, _cut_short = text.rpartition("\n")
    return [json.loads(line) for line in complete.splitlines()]


class Shard:
    """One replica of one shard: its points in memory, and the log they are read back from."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / POINTS_FILE
        self._lock = threading.Lock()
        self._epoch = 0
        self._points: dict[PointId, Point] = {}
        self._listed: list[Order] = []
        self._log = self._path.open("a")
        for point in deserialized(self._path.read_text()):
            self._points[point["id"]] = point
        # Rewritten without superseded points, and without the line a crash may have cut short.
        self._write_all()

    def enter_epoch(self, epoch: int, *, emptied: bool) -> None:
        """From now on refuse writes by peers that know less than what was agreed on at `epoch`."""
        with self._lock:
            self._epoch = epoch
            if emptied:
                self._points = {}
                self._write_all()

    def store(self, points: list[Point], known: int) -> None:
        """Store what a peer that knows of the agreement at `known` writes; raises `OutdatedError`."""
        with self._lock:
            if known < self._epoch:
                raise OutdatedError
            self._merge(points)

    def merge(self, points: list[Point]) -> None:
        """Take over points of another replica, except where this one has newer ones."""
        with self._lock:
            self._merge(points)

    def replace(self, points: list[Point]) -> None:
        """Have `points` and no others."""
        with self._lock:
            self._points = {point["id"]: point for point in points}
            self._write_all()

    def scroll(self, offset: PointId | None, limit: int) -> list[Point]:
        """Up to `limit` points in order, from `offset` on."""
        with self._lock:
            start = 0 if offset is None else bisect.bisect_left(self._listed, order(offset))
            keys = self._listed[start : start + limit]
            return [self._points[text if is_text else number] for is_text, number, text in keys]

    def retrieve(self, ids: list[PointId]) -> list[Point]:
        """Those of the points with `ids` that exist."""
        with self._lock:
            found = [self._points[i] for i in ids if i in self._points]
        return [point for point in found if not point.get("deleted")]

    def export(self, start: int, limit: int | None = None) -> list[Point]:
        """Points in the order in which they came, with those that are only remembered as deleted."""
        with self._lock:
            stop = None if limit is None else start + limit
            return list(itertools.islice(self._points.values(), start, stop))

    def count(self) -> int:
        return len(self._listed)

    def close(self) -> None:
        self._log.close()

    def _merge(self, points: list[Point]) -> None:
        newer = [p for p in points if _stamp(p) > _stamp(self._points.get(p["id"], {}))]
        self._log.write(serialized(newer))
        self._log.flush()
        for point in newer:
            known = self._points.get(point["id"], {"deleted": True})
            self._points[point["id"]] = point
            if bool(known.get("deleted")) != bool(point.get("deleted")):
                self._list(order(point["id"]), listed=not point.get("deleted"))

    def _list(self, key: Order, *, listed: bool) -> None:
        if listed:
            bisect.insort(self._listed, key)
        else:
            del self._listed[bisect.bisect_left(self._listed, key)]

    def _write_all(self) -> None:
        self._listed = sorted(order(i) for i, p in self._points.items() if not p.get("deleted"))
        self._log.close()
        write_whole(self._path, serialized(self._points.values()))
        self._log = self._path.open("a")


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
            self._follow(name, collection, set())

    def on_commit(self, before: Document, after: Document) -> None:
        """Create, empty and delete shards so that they are those of `after`."""
        for name, collection in before["collections"].items():
            successor = after["collections"].get(name)
            if successor is None or successor["created"] != collection["created"]:
                self._delete(name)
        for name, collection in after["collections"].items():
            predecessor = before["collections"].get(name)
            known = {t["started"] for t in predecessor["transfers"]} if predecessor else set()
            beginning = {
                t["shard_id"]
                for t in collection["transfers"]
                if t["to"] == self._peer_id and t["started"] not in known
            }
            self._follow(name, collection, beginning)

    def get(self, collection: str, shard: int) -> Shard | None:
        return self._shards.get((collection, shard))

    def of(self, collection: str) -> dict[int, Shard]:
        """The shards of a collection that this node holds, by their id."""
        return {key[1]: shard for key, shard in self._shards.copy().items() if key[0] == collection}

    def _follow(self, name: str, collection: Collection, beginning: set[int]) -> None:
        directory = self._root / name
        directory.mkdir(parents=True, exist_ok=True)
        write_whole(directory / VERSION_FILE, self._version)
        for text, holders in collection["shards"].items():
            shard, key = int(text), (name, int(text))
            if str(self._peer_id) in holders:
                if key not in self._shards:
                    self._shards[key] = Shard(directory / text)
                self._shards[key].enter_epoch(
                    collection["epochs"][text], emptied=shard in beginning
                )
            elif key in self._shards:
                self._shards.pop(key).close()
                shutil.rmtree(directory / text, ignore_errors=True)

    def _delete(self, name: str) -> None:
        for key in [key for key in self._shards if key[0] == name]:
            self._shards.pop(key).close()
        shutil.rmtree(self._root / name, ignore_errors=True)

    def _check_version(self, name: str) -> None:
        file = self._root / name / VERSION_FILE
        stored = file.read_text().strip() if file.exists() else "0.0.0"
        if parsed_version(stored) > parsed_version(self._version):
            raise NewerStorageError(stored, self._version)


def _stamp(point: Point) -> list[int]:
    stamp: list[int] = point.get("stamp", [])
    return stamp
