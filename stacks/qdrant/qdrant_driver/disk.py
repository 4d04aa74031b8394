"""A node's disk: what is free, and how large its collections are. Sizes are KiB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from paisctl.cluster.driver import Obstacle
from paisctl.cluster.member import Member, checked
from paisctl.errors import PaisctlError
from qdrant_driver.nodes import SERVICE, SNAPSHOTS, STORAGE

_SCRIPT = f"""
id -u
df -Pk {STORAGE} {SNAPSHOTS} || exit
du -k -d 1 {STORAGE}/collections 2>/dev/null
true
"""
_KIB_PER_GIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Disk:
    """What a node's container says.

    Attributes:
        uid: whom it runs as.
        collections: the size of each.
        shared: whether storage and snapshots are on one file system.
    """

    uid: int
    storage_free: int
    snapshots_free: int
    shared: bool
    collections: Mapping[str, int]

    def obstacles(self, device: str, *, takes_snapshots: bool) -> list[Obstacle]:
        """What there is no space for.

        Optimizers and migrations may write a collection anew before they drop the old one. Snapshots
        are made below the storage and then moved (qdrant lib/storage/src/content_manager/toc/
        snapshots.rs), and all of them are kept.
        """
        largest = max(self.collections.values(), default=0)
        copies = sum(self.collections.values()) if takes_snapshots else 0
        hint = "free some space there" + (
            ", or go without snapshots: --no-snapshot" if copies else ""
        )
        storage = largest + (copies if self.shared else 0)
        found = []
        if self.storage_free <= storage:
            found.append(_short(device, STORAGE, self.storage_free, storage, hint))
        if not self.shared and copies and self.snapshots_free <= copies:
            found.append(_short(device, SNAPSHOTS, self.snapshots_free, copies, hint))
        return found

    def short_for(self, collection: str) -> str:
        """What room lacks for one snapshot of a collection; empty if there is enough."""
        needed = self.collections.get(collection, 0)
        for path, free in ((STORAGE, self.storage_free), (SNAPSHOTS, self.snapshots_free)):
            if free <= needed:
                return _words(path, free, needed)
        return ""


def read_disk(member: Member) -> Disk:
    """Raises HostError; PaisctlError for an answer that is none."""
    output = checked(
        member.run(SERVICE, ["sh", "-c", _SCRIPT]), f"{member.device}: reading its disk"
    )
    try:
        uid, _, storage, snapshots, *sizes = output.decode("utf-8", "replace").splitlines()
        (device, storage_free), (other, snapshots_free) = _usage(storage), _usage(snapshots)
        collections = {}
        for line in sizes:
            size, _, path = line.partition("\t")
            above, _, name = path.rpartition("/")
            if above == f"{STORAGE}/collections":
                collections[name] = int(size)
        return Disk(int(uid), storage_free, snapshots_free, device == other, collections)
    except ValueError as error:
        raise PaisctlError(f"{member.device}: `df` and `du` say nothing that is known") from error


def _usage(line: str) -> tuple[str, int]:
    """The device and the free KiB of a line of `df -Pk`."""
    device, _, _, free, _, _ = line.rsplit(None, 5)
    return device, int(free)


def _short(device: str, path: str, free: int, needed: int, hint: str) -> Obstacle:
    return Obstacle(_words(path, free, needed), hint, device)


def _words(path: str, free: int, needed: int) -> str:
    return f"{free / _KIB_PER_GIB:.1f} GiB are free below {path}, {needed / _KIB_PER_GIB:.1f} are needed"
