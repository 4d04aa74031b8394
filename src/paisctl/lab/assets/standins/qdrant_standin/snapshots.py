"""Snapshots of this node's shards of a collection.

A snapshot is a tar archive of `<shard id>/points.jsonl`, `<shard id>/wal/open-1`, `version.info` and
`config.json`; beside it lies its SHA-256. Qdrant's has segments in the place of the points. The log is
what makes it like Qdrant's for who reads archives: an empty one that was given its room beforehand, so a
file with a hole, stored as GNU's sparse file (qdrant lib/common/common/src/tar_ext.rs, `sparse(true)`).
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qdrant_standin.faults import Faults
from qdrant_standin.metadata import Metadata, RefusedError, collection_named
from qdrant_standin.shards import POINTS_FILE, VERSION_FILE, LocalShards, serialized
from qdrant_standin.storage import write_whole

CONFIG_FILE = "config.json"
CHECKSUM_SUFFIX = ".checksum"
TEMPORARY = "tmp"
LOG_FILE = "wal/open-1"
LOG_HEAD = b"wal\0".ljust(512, b"\0")
LOG_SIZE = 32 << 20
CONFIGURATION = ("vectors", "shard_number", "replication_factor", "write_consistency_factor")
CHUNK = 1 << 18


class Snapshots:
    """The snapshots directory, with one directory for each collection."""

    def __init__(
        self,
        root: Path,
        metadata: Metadata,
        shards: LocalShards,
        version: str,
        faults: Faults,
    ) -> None:
        self._root = root
        self._metadata = metadata
        self._shards = shards
        self._version = version
        self._faults = faults
        self.creating: Counter[str] = Counter()

    def create(self, name: str) -> dict[str, Any]:
        """Write a snapshot of a collection; its description. Raises `RefusedError`."""
        collection = collection_named(self._metadata.document, name)
        moment = datetime.now(UTC).strftime("%Y-%m-%d-%H-%M-%S")
        file = f"{name}-{self._metadata.peer_id}-{moment}.snapshot"
        temporary = self._new_file()
        with counted(self.creating, name):
            time.sleep(self._faults.get("snapshot_seconds", 0))
            with tarfile.open(temporary, "w") as archive:
                for shard_id, shard in self._shards.of(name).items():
                    _add(archive, f"{shard_id}/{POINTS_FILE}", serialized(shard.export(0)))
                    _add_sparse(archive, f"{shard_id}/{LOG_FILE}", LOG_HEAD, LOG_SIZE)
                _add(archive, VERSION_FILE, self._version)
                _add(archive, CONFIG_FILE, json.dumps({k: collection[k] for k in CONFIGURATION}))  # type: ignore[literal-required]
            return self._kept(name, file, temporary)

    def listed(self, name: str) -> list[dict[str, Any]]:
        """The snapshots of a collection, described."""
        collection_named(self._metadata.document, name)
        files = sorted((self._root / name).glob("*.snapshot"))
        return [_description(file) for file in files]

    def file(self, name: str, snapshot: str) -> Path:
        """Where a snapshot is; raises `RefusedError` 404."""
        collection_named(self._metadata.document, name)
        file = self._root / name / snapshot
        if snapshot != Path(snapshot).name or not file.is_file():
            raise RefusedError(404, f"Not found: Snapshot {snapshot} not found")
        return file

    def delete(self, name: str, snapshot: str) -> None:
        """Remove a snapshot; raises `RefusedError` 404."""
        file = self.file(name, snapshot)
        file.unlink()
        _checksum_file(file).unlink(missing_ok=True)

    def keep_upload(self, name: str, snapshot: str, content: bytes) -> Path:
        """Put an uploaded snapshot among those of the collection, as Qdrant does; where it is now."""
        temporary = self._new_file()
        temporary.write_bytes(content)
        self._kept(name, Path(snapshot).name, temporary)
        return self._root / name / Path(snapshot).name

    def inside(self, path: Path) -> Path:
        """`path`, if it is a file below the snapshots directory; raises `RefusedError`."""
        if not path.is_file():
            raise RefusedError(400, f'Bad request: Snapshot file "{path}" does not exist')
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise RefusedError(
                403,
                "Forbidden: Snapshot file path must be inside the snapshots directory "
                f'"{self._root.resolve()}"',
            )
        return path

    def _new_file(self) -> Path:
        directory = self._root / TEMPORARY
        directory.mkdir(parents=True, exist_ok=True)
        return directory / f"{time.time_ns()}.part"

    def _kept(self, name: str, file: str, temporary: Path) -> dict[str, Any]:
        target = self._root / name / file
        target.parent.mkdir(exist_ok=True)
        checksum = digest(temporary)
        if self._faults.get("wrong_checksum", False):
            checksum = checksum[::-1]
        write_whole(_checksum_file(target), checksum)
        temporary.replace(target)
        return _description(target)


def digest(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def chunks(file: Path) -> Iterator[bytes]:
    """The content of a file, piece by piece."""
    with file.open("rb") as stream:
        while piece := stream.read(CHUNK):
            yield piece


def _add(archive: tarfile.TarFile, path: str, text: str) -> None:
    content = text.encode()
    member = tarfile.TarInfo(path)
    member.size, member.mtime = len(content), int(time.time())
    archive.addfile(member, io.BytesIO(content))


def _add_sparse(archive: tarfile.TarFile, path: str, head: bytes, size: int) -> None:
    """Add a file of `size` bytes that is a hole behind its first ones, in GNU's old sparse format.

    Its header lists what is stored (offset and length, up to four of them), whether more of them follow,
    and the size of the whole (GNU tar's manual, "Old GNU Format"); tarfile reads it and does not write it.
    """
    member = tarfile.TarInfo(path)
    member.type, member.size, member.mtime = tarfile.GNUTYPE_SPARSE, len(head), int(time.time())
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    stored = ((0, len(head)), (size, 0))
    header[386:482] = b"".join(_octal(each) for pair in stored for each in pair).ljust(96, b"\0")
    header[482:495] = b"\0" + _octal(size)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    assert archive.fileobj is not None  # noqa: S101 # it is open
    archive.fileobj.write(bytes(header) + head)
    archive.offset += len(header) + len(head)


def _octal(number: int) -> bytes:
    return b"%011o\0" % number


def _description(file: Path) -> dict[str, Any]:
    stat, checksum = file.stat(), _checksum_file(file)
    created = datetime.fromtimestamp(int(stat.st_mtime), UTC)
    return {
        "name": file.name,
        "creation_time": created.strftime("%Y-%m-%dT%H:%M:%S"),
        "size": stat.st_size,
        "checksum": checksum.read_text() if checksum.exists() else None,
    }


def _checksum_file(file: Path) -> Path:
    return file.with_name(file.name + CHECKSUM_SUFFIX)


@contextmanager
def counted(counter: Counter[str], name: str) -> Iterator[None]:
    """Count what goes on in the context under `name`."""
    counter[name] += 1
    try:
        yield
    finally:
        counter[name] -= 1
