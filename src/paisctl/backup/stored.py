"""A backup in its store: read, and verified by being read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from paisctl.backup.manifest import Backup
from paisctl.backup.store import Store
from paisctl.cluster.backup_driver import BackupDriver, Kept
from paisctl.errors import HostError, PaisctlError

Told = Callable[[Kept, str], None]  # a file, and what is wrong with it; empty if nothing is


@dataclass(frozen=True, slots=True)
class Verification:
    """What reading a backup again has found.

    Attributes:
        wrong: with its files, a line each.
        unopened: the files that are as they were written, and that this store's tar cannot open.
    """

    wrong: Sequence[str] = ()
    unopened: Sequence[str] = ()


class StoredBackup:
    """A backup in a store, as drivers read it.

    Args:
        store: where it is.
        backup: its manifest.
        directory: below the store's; its stamp unless it is not finished yet.
    """

    def __init__(self, store: Store, backup: Backup, directory: str = "") -> None:
        self.store = store
        self.backup = backup
        self._directory = directory or backup.stamp

    @property
    def pieces(self) -> Sequence[Kept]:
        return self.backup.pieces

    @property
    def versions(self) -> Mapping[str, str]:
        return self.backup.versions

    def at(self, piece: Kept) -> str:
        """Where a file is, relative to the store."""
        return f"{self._directory}/{piece.path}"

    def chunks(self, piece: Kept) -> Generator[bytes]:
        return self.store.chunks(self.at(piece))

    def json(self, piece: Kept) -> Any:
        text = self.store.text(self.at(piece))
        if hashlib.sha256(text).hexdigest() != piece.sha256:  # it is used before all is verified
            raise HostError(_damaged(piece))
        try:
            return json.loads(text)
        except ValueError:
            raise HostError(f"{piece.path} is no JSON") from None

    def members(self, piece: Kept) -> list[str]:
        return self.store.members(self.at(piece), zipped=piece.kind == "tar.gz")

    def member(self, piece: Kept, name: str) -> bytes:
        return self.store.member(self.at(piece), name)

    def open(self, piece: Kept) -> None:
        """Open a file as what it is, to its end.

        Raises:
            PaisctlError: it cannot be, or is empty.
        """
        if not piece.size:
            raise HostError(f"{piece.path} is empty")
        match piece.kind:
            case "json":
                self.json(piece)
            case "gz":
                self.store.unzips(self.at(piece))
            case "tar" | "tar.gz":
                if not self.members(piece):
                    raise HostError(f"there is nothing in the archive {piece.path}")

    def verify(self, driver: BackupDriver, told: Told) -> Verification:
        """Read every file again, compare its digest, open it, and look into it.

        Args:
            driver: knows what is in the files.
            told: called for each of them.
        """
        wrong, unopened = [], []
        for piece in self.pieces:
            problem = self._changed(piece)
            if not problem and (problem := self._unfit(piece, driver)) and self._is_beyond(piece):
                unopened.append(piece.path)
                problem = ""
            told(piece, problem)
            if problem:
                wrong.append(problem)
        return Verification(wrong or self._gaps(driver), unopened)

    def _gaps(self, driver: BackupDriver) -> list[str]:
        """What is in none of the files, and its manifest does not say so."""
        try:
            found = driver.missing(self, self.backup.only)
        except PaisctlError as error:
            return [error.message]
        return [f"{what}: {why}" for what, why in found.items() if what not in self.backup.missing]

    def _changed(self, piece: Kept) -> str:
        """How a file is not what was written; empty if it is."""
        try:
            found = self.store.digest(self.at(piece))
        except PaisctlError as error:
            return _about(piece, error)
        if found.size != piece.size:
            return f"{piece.path} has {found.size} bytes, not {piece.size}"
        return "" if found.sha256 == piece.sha256 else _damaged(piece)

    def _unfit(self, piece: Kept, driver: BackupDriver) -> str:
        """Why a file cannot be used, although it is what was written; empty if it can."""
        try:
            self.open(piece)
            driver.check(self, piece)
        except PaisctlError as error:
            return _about(piece, error)
        return ""

    def _is_beyond(self, piece: Kept) -> bool:
        """Whether that a file cannot be opened says more of the store than of the file."""
        return piece.kind in ("tar", "tar.gz") and bool(piece.size) and not self._opens_holes

    @cached_property
    def _opens_holes(self) -> bool:
        return self.store.opens_holes()


def _about(piece: Kept, error: PaisctlError) -> str:
    return error.message if piece.path in error.message else f"{piece.path}: {error}"


def _damaged(piece: Kept) -> str:
    return f"{piece.path} is damaged: its content has changed since it was written"
