"""What a stack tells paisctl about its data, so that it can be copied away and brought back.

A bundle's driver is a Python package in the bundle's folder, which `bundle.yaml` names
(`backup: {driver: …}`). It has a function `backup(members)` that returns a `BackupDriver`. Bundles
whose data is the output of a command declare the command instead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from paisctl.cluster.driver import Obstacle, Say

Kind = Literal["tar", "tar.gz", "gz", "json", "plain"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A file to be of a backup, from one device.

    Attributes:
        path: what it is called, relative to the device's directory.
        kind: as what it can be opened to verify it.
        read: its content, in pieces that fit into memory; raises PaisctlError where it breaks off.
        size: in bytes, where the source says it.
        sha256: where the source says it.
        about: values of JSON that bringing it back needs.
    """

    path: str
    kind: Kind
    read: Callable[[], Generator[bytes]]
    size: int | None = None
    sha256: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lost:
    """Data of a device that cannot be had; what comes after it may be well."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of a backup, as its manifest has it. `path` begins with the device."""

    path: str
    device: str
    kind: Kind
    size: int
    sha256: str
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it was called on its device."""
        return self.path.partition("/")[2]


class Stored(Protocol):
    """A backup in the store, to read from. Reading raises HostError."""

    @property
    def pieces(self) -> Sequence[Kept]:
        """All its files."""

    @property
    def versions(self) -> Mapping[str, str]:
        """The version of the software that each device had."""

    def chunks(self, piece: Kept) -> Generator[bytes]:
        """The content of a file."""

    def json(self, piece: Kept) -> Any:
        """The value that a file of JSON has."""

    def members(self, piece: Kept) -> list[str]:
        """The names in an archive."""

    def member(self, piece: Kept, name: str) -> bytes:
        """The content of one file in an archive, which is to be small."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """Data that a restore replaces as a whole.

    Attributes:
        name: what a person types to agree to it.
        now: what is there, in a few words; empty when nothing is, so that nothing is replaced.
        then: what will be.
        pieces: the files that it is made of, in the order in which they are brought back.
        notes: what else changes with it.
    """

    name: str
    now: str
    then: str
    pieces: tuple[Kept, ...]
    notes: tuple[str, ...] = ()


def _quiet(_: str) -> None:
    """Tell nobody."""


class BackupDriver(Protocol):
    """Knows one kind of data. Raises PaisctlError where it cannot do what it is asked."""

    def version(self, device: str) -> str:
        """The version of the software on a device."""

    def pieces(
        self, device: str, only: Collection[str] = (), say: Say = _quiet
    ) -> Generator[Piece | Lost]:
        """What there is to keep of a device; each is made when it is asked for.

        The next one is asked for when the one before is in the store and verified there, or could not
        be read: what it left behind on the device can go then, and also when the iterator is closed
        instead. What cannot be had is `Lost`, and the rest goes on; an error ends the device.

        Args:
            device: one of the members.
            only: names of data, as `Replacement.name` has them; none means all.
            say: told what is no failure, and yet to be known.
        """

    def missing(self, stored: Stored, only: Collection[str] = ()) -> dict[str, str]:
        """What should be in a backup and is in none of its files; needs no member.

        Args:
            stored: the backup, which may not be finished yet.
            only: names of data; none means all.

        Returns:
            Why, by what it is in a few words.
        """

    def check(self, stored: Stored, piece: Kept) -> None:
        """Look into a file of the store, beyond what its kind says.

        Raises:
            PaisctlError: it is not what it should be.
        """

    def obstacles(self, stored: Stored, only: Collection[str] = ()) -> list[Obstacle]:
        """All reasons not to bring a backup back; changes nothing."""

    def replacements(self, stored: Stored, only: Collection[str] = ()) -> list[Replacement]:
        """What bringing a backup back replaces; asked only where there is no obstacle."""

    def restore(self, stored: Stored, replacement: Replacement, say: Say) -> str:
        """Bring data back, wait until it is whole, and say in a few words what is there now."""
