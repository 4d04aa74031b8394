"""A backup in its store: read, and verified by being read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from paisctl.backup.manifest import Backup
from paisctl.backup.store import Store
from paisctl.cluster.backup_driver import BackupDriver, Kept
from paisctl.errors import HostError, PaisctlError

Told = Callable[[Kept, str], None]  # a file, and what is wrong with it; empty if nothing is


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
            raise HostError(_changed(piece))
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

    def verify(self, driver: BackupDriver, told: Told) -> list[str]:
        """Read every file again, compare its digest, open it, and look into it.

        Args:
            driver: knows what is in the files.
            told: called for each of them.

        Returns:
            What is wrong, a line each.
        """
        wrong = []
        for piece in self.pieces:
            problem = self._problem(piece, driver)
            told(piece, problem)
            if problem:
                wrong.append(problem)
        return wrong or self._gaps(driver)

    def _gaps(self, driver: BackupDriver) -> list[str]:
        """What is in none of the files, and its manifest does not say so."""
        try:
            found = driver.missing(self, self.backup.only)
        except PaisctlError as error:
            return [error.message]
        return [f"{what}: {why}" for what, why in found.items() if what not in self.backup.missing]

    def _problem(self, piece: Kept, driver: BackupDriver) -> str:
        try:
            found = self.store.digest(self.at(piece))
            if found.size != piece.size:
                return f"{piece.path} has {found.size} bytes, not {piece.size}"
            if found.sha256 != piece.sha256:
                return _changed(piece)
            self.open(piece)
            driver.check(self, piece)
        except PaisctlError as error:
            return error.message if piece.path in error.message else f"{piece.path}: {error}"
        return ""


def _changed(piece: Kept) -> str:
    return f"{piece.path} is damaged: its content has changed since it was written"
