"""What a backup is made of: its manifest, which is written last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from paisctl.backup.store import Store
from paisctl.cluster.backup_driver import Kept
from paisctl.codec import Unfit, decode, encode
from paisctl.errors import UsageError

LATEST = "latest"
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Backup:
    """One backup.

    Attributes:
        stamp: when it was begun, in UTC; what its directory is called.
        name: of the inventory's backup.
        bundle: the digest of the bundle that said how.
        versions: the version of the software on each device.
        members: the devices whose data it should have.
        pieces: its files.
        missing: why something is not in it: by device, or by what it is when no device had it.
        only: the names of the data that it was made of; empty for all.
        ended: when its last file was verified, in seconds since 1970.
        format: of the manifest.
    """

    fleet: str
    name: str
    stack: str
    stamp: str
    bundle: str
    versions: Mapping[str, str]
    members: tuple[str, ...]
    pieces: tuple[Kept, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    ended: int = 0
    format: int = 1

    @property
    def is_complete(self) -> bool:
        """Whether it has all data of all members."""
        return not self.missing and not self.only

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(piece.size for piece in self.pieces)

    @property
    def began(self) -> datetime:
        return datetime.strptime(self.stamp, _STAMP).replace(tzinfo=UTC)


def stamp_of(when: datetime) -> str:
    """What a backup of that time is called."""
    return when.astimezone(UTC).strftime(_STAMP)


def text_of(backup: Backup) -> str:
    """The manifest as text."""
    return json.dumps(encode(Backup, backup), indent=1, ensure_ascii=False) + "\n"


def parse_manifest(text: str) -> Backup:
    """The backup that a manifest describes.

    Raises:
        ValueError: it is none that this version of paisctl has written.
    """
    backup: Backup = decode(Backup, json.loads(text))
    backup.began  # noqa: B018 # raises for a stamp that is none
    return backup


def backups_in(store: Store, fleet: str, name: str) -> list[Backup]:
    """The backups of a store that are ours, the newest first; others are passed over."""
    found = []
    for directory, text in store.manifests().items():
        try:
            backup = parse_manifest(text)
        except (Unfit, ValueError):
            continue
        if (backup.fleet, backup.name, backup.stamp) == (fleet, name, directory):
            found.append(backup)
    return sorted(found, key=lambda each: each.stamp, reverse=True)


def find(backups: list[Backup], when: str) -> Backup:
    """The backup with a stamp, or the latest complete one.

    Raises:
        UsageError: there is none.
    """
    for backup in backups:
        if backup.stamp == when or (when == LATEST and backup.is_complete):
            return backup
    if when == LATEST and backups:
        newest = backups[0].stamp
        raise UsageError("no backup is complete", f"name one that is not: --from {newest}")
    known = ", ".join(backup.stamp for backup in backups[:3]) or "there is none yet"
    raise UsageError(f"there is no backup {when}", f"the newest: {known}")


def marker_of(fleet: str, name: str) -> str:
    """Says whose an unfinished backup is."""
    return json.dumps({"fleet": fleet, "name": name})
