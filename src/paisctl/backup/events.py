"""What happens in a backup or a restore, for whoever watches. Frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from paisctl.events import Noted


@dataclass(frozen=True, slots=True)
class Copying:
    """A file on its way; `size` is None where it is not known before. In bytes."""

    device: str
    path: str
    done: int
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Copied:
    """A file is in the store, and what is there is what was sent."""

    device: str
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Missed:
    """A device of which not all is in the backup."""

    device: str
    why: str


@dataclass(frozen=True, slots=True)
class Verified:
    """A file was read again; `problem` is empty when it is as it should be."""

    path: str
    problem: str


BackupEvent = Noted | Copying | Copied | Missed | Verified
Watcher = Callable[[BackupEvent], None]
