"""What containers mount: databases on local disks, managed files so that a reload sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from paisctl.diagnostics import Diagnostics, Mark
from paisctl.inventory.load import FleetDevice
from paisctl.rendering.checks.stack import Stack

METRICS = "../../metrics"  # where paisctl leaves metrics on a host, as a stack's directory sees it
_NETWORK_TYPES = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs")


@dataclass(frozen=True, slots=True)
class _Mount:
    source: str
    target: str


def check_mounts(stack: Stack, diagnostics: Diagnostics) -> None:
    """Report databases on network file systems, mounts outside the stack, files a reload misses."""
    for mount in _mounts(stack):
        if any(_covers(mount.target, path) for path in stack.instance.stack.bundle.data):
            _refuse_network(stack, mount, diagnostics)
        if ".." in PurePosixPath(mount.source).parts and mount.source != METRICS:
            diagnostics.error(
                "path-escape",
                f"{stack.title} mounts {mount.source}, which leaves the stack's directory",
                stack.blame(mount.source),
                "mount a folder of the stack, a named volume, or an absolute path",
            )
        _refuse_single_file(stack, mount, diagnostics)


def collects_metrics(stack: Stack) -> bool:
    """Whether it shows what paisctl leaves in the host's directory of metrics."""
    return any(mount.source == METRICS for mount in _mounts(stack))


def network_mount(device: FleetDevice, path: str) -> str | None:
    """The network mount of a device that a path is under."""
    return next((each.path for each in device.device.mounts if _under(path, each.path)), None)


def data_path_is_kept(stack: Stack, path: str) -> bool:
    """Whether something is mounted at a container path, or above it."""
    return any(_under(path, mount.target) for mount in _mounts(stack))


def _refuse_network(stack: Stack, mount: _Mount, diagnostics: Diagnostics) -> None:
    found = _network_place(stack, mount.source)
    if found is None:
        return
    place, mark = found
    diagnostics.error(
        "database-on-network",
        f"{stack.title} keeps its data on {place}; databases can get corrupted there",
        stack.blame(mount.source) or stack.instance.mark,
        "use a named volume or a directory on a local disk; copy snapshots to the network instead",
        [("mounted here", mark)] if mark else [],
    )


def _network_place(stack: Stack, source: str) -> tuple[str, Mark | None] | None:
    if not source.startswith(("/", "~", ".")):
        volumes: Mapping[str, Any] = stack.document.get("volumes") or {}
        options = (volumes.get(source) or {}).get("driver_opts") or {}
        kind = str(options.get("type", ""))
        is_network = kind in _NETWORK_TYPES or "addr=" in str(options.get("o", ""))
        return (
            (f"the volume `{source}`, which is {kind or 'on another machine'}", None)
            if is_network
            else None
        )
    device = stack.instance.device
    path = source
    if source.startswith("."):
        path = f"{device.device.root}/stacks/{stack.spec.name}/{source}"
    for position, mount in enumerate(device.device.mounts):
        if _under(path, mount.path):
            mark = device.source.mark(("mounts", position, "path"))
            return f"{source}, which is under the network mount {mount.path}", mark
    return None


def _refuse_single_file(stack: Stack, mount: _Mount, diagnostics: Diagnostics) -> None:
    if not mount.source.startswith("."):
        return
    file = stack.spec.files.get(str(PurePosixPath(mount.source)))
    if file and file.action == "reload":
        diagnostics.error(
            "single-file-mount",
            f"{stack.title} mounts the file {mount.source} by itself: after a change the container "
            "still sees the old file, and a reload reads nothing new",
            stack.blame(mount.source),
            "mount the file's directory",
        )


def _mounts(stack: Stack) -> Iterator[_Mount]:
    for service in stack.spec.services.values():
        for volume in service.definition.get("volumes") or []:
            if isinstance(volume, dict):
                yield _Mount(str(volume.get("source", "")), str(volume.get("target", "")))
            else:
                source, _, rest = str(volume).partition(":")
                yield _Mount(source, rest.partition(":")[0])


def _covers(target: str, path: str) -> bool:
    """Whether a mount holds a data path, or a part of it."""
    return _under(path, target) or _under(target, path)


def _under(path: str, parent: str) -> bool:
    return PurePosixPath(path).is_relative_to(PurePosixPath(parent))
