"""Makes a backup: from each device in turn, file by file, into the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from paisctl.backup.definition import Definition
from paisctl.backup.events import Copied, Copying, Missed, Watcher
from paisctl.backup.manifest import Backup, backups_in, marker_of, stamp_of, text_of
from paisctl.backup.retention import superfluous
from paisctl.backup.store import MANIFEST, Store
from paisctl.backup.stored import StoredBackup
from paisctl.cluster.backup_driver import BackupDriver, Kept, Lost, Piece
from paisctl.errors import HostError, PaisctlError
from paisctl.events import Noted

T = TypeVar("T")


class _SourceFailed(Exception):
    """A device broke off; the store is well."""


@dataclass
class Making:
    """One backup that is being made.

    Args:
        definition: what is to be kept.
        driver: on the members that can be asked.
        store: where to.
        away: why others cannot be asked, by device.
        watcher: told what happens.
        now: the time in UTC.
    """

    definition: Definition
    driver: BackupDriver
    store: Store
    away: Mapping[str, str]
    watcher: Watcher
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pieces: list[Kept] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def run(self, only: Collection[str] = ()) -> Backup:
        """Copy what there is; what a device does not give is said, and the others go on.

        Args:
            only: names of data; none means all.

        Raises:
            HostError: the store cannot be used, or no device gave anything.
        """
        stamp, marker = stamp_of(self.now()), marker_of(self.definition.fleet, self.definition.name)
        for left, whose in self.store.partials().items():
            if whose == marker:  # of a run that broke off: the claim is ours, so it is nobody's now
                self.store.remove(left)
        partial = self.store.begin(stamp, marker)
        try:
            return self._fill(stamp, partial, only)
        except BaseException:
            with suppress(HostError):  # what it has copied would keep the store full
                self.store.remove(partial)
            raise

    def _fill(self, stamp: str, partial: str, only: Collection[str]) -> Backup:
        for device in self.definition.devices:
            self._device(device, partial, only)
        if not self.pieces and self.missing:
            raise HostError("nothing could be backed up", _listed(self.missing))
        self._look_for_gaps(StoredBackup(self.store, self._backup(stamp, only), partial), only)
        backup = self._backup(stamp, only)
        written = self.store.write(f"{partial}/{MANIFEST}", [text_of(backup).encode()])
        if self.store.digest(f"{partial}/{MANIFEST}") != written:
            raise HostError(f"{self.store.device} has not kept the manifest as it was sent")
        self.store.finish(stamp)
        return backup

    def _device(self, device: str, partial: str, only: Collection[str]) -> None:
        """Copy all of one device that can be had."""
        if device in self.away:
            self._miss(device, self.away[device])
            return
        try:
            self.versions[device] = _asked(self.driver.version, device)
            found = self.driver.pieces(device, only, lambda text: self.watcher(Noted(text)))
            with closing(_each(found)) as pieces:
                for piece in pieces:
                    self._take(device, piece, partial)
        except _SourceFailed as failed:
            self._miss(device, str(failed))

    def _take(self, device: str, piece: Piece | Lost, partial: str) -> None:
        """Copy a file, or say why it is not there."""
        if isinstance(piece, Lost):
            self._miss(device, f"{piece.name}: {piece.why}")
            return
        try:
            self.pieces.append(self._copy(device, piece, partial))
        except _SourceFailed as failed:
            self.store.discard(f"{partial}/{device}/{piece.path}")
            why = str(failed)
            self._miss(device, why if piece.path in why else f"{piece.path}: {why}")

    def _look_for_gaps(self, stored: StoredBackup, only: Collection[str]) -> None:
        """Note what is on no device that gave all that it has."""
        for what, why in self.driver.missing(stored, only).items():
            self._miss(what, why)

    def _copy(self, device: str, piece: Piece, partial: str) -> Kept:
        """Write one file to the store, and have the store say what it has."""
        path = f"{device}/{piece.path}"

        def told(done: int) -> None:
            self.watcher(Copying(device, piece.path, done, piece.size))

        told(0)
        written = self.store.write(f"{partial}/{path}", _each(piece.read()), told)
        if piece.size is not None and written.size != piece.size:
            raise _SourceFailed(
                f"{piece.path} came with {written.size} bytes, not {piece.size} as announced"
            )
        if piece.sha256 and written.sha256 != piece.sha256:
            raise _SourceFailed(f"{piece.path} came damaged: it has not the SHA-256 announced")
        if not written.size:
            raise _SourceFailed(f"{piece.path} came empty")
        if self.store.digest(f"{partial}/{path}") != written:
            raise HostError(f"{self.store.device} has not kept {path} as it was sent")
        self.watcher(Copied(device, piece.path, written.size))
        return Kept(path, device, piece.kind, written.size, written.sha256, piece.about)

    def _miss(self, device: str, why: str) -> None:
        """Note that something of a device is not there; more than once, if need be."""
        why = why.removeprefix(f"{device}: ")  # it is said beside it
        before = self.missing.get(device)
        self.missing[device] = f"{before}; {why}" if before else why
        self.watcher(Missed(device, why))

    def _backup(self, stamp: str, only: Collection[str]) -> Backup:
        definition = self.definition
        return Backup(
            fleet=definition.fleet,
            name=definition.name,
            stack=definition.settings.stack,
            stamp=stamp,
            bundle=definition.digest,
            versions=self.versions,
            members=tuple(definition.devices),
            pieces=tuple(self.pieces),
            missing=self.missing,
            only=tuple(only),
            ended=int(time.time()),
        )


def prune(definition: Definition, store: Store) -> list[str]:
    """Remove the backups that are not to be kept; their names. Never all that are complete."""
    backups = backups_in(store, definition.fleet, definition.name)
    removed = [each.stamp for each in superfluous(backups, definition.settings.keep)]
    for name in removed:
        store.remove(name)
    return removed


def _asked(ask: Callable[[str], str], device: str) -> str:
    try:
        return ask(device)
    except PaisctlError as error:
        raise _SourceFailed(error.message) from error


def _each(items: Generator[T]) -> Generator[T]:
    """The same items; that the source breaks off is told apart from what the store does."""
    with closing(items):
        try:
            yield from items
        except PaisctlError as error:
            raise _SourceFailed(error.message) from error


def _listed(missing: Mapping[str, str]) -> str:
    return "; ".join(f"{device}: {why}" for device, why in missing.items())
