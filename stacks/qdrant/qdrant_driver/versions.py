"""Qdrant's versions, as image tags and processes name them.

One minor at a time, and never back (Qdrant documentation, "Upgrading Qdrant").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from paisctl.cluster.driver import Obstacle

_TAG = re.compile(
    r"v?(?P<major>\d+)\.(?P<minor>\d+)\.(?P<patch>\d+)(?P<flavour>-[A-Za-z0-9_.-]+)?(@sha256:\w+)?"
)


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """`v1.19.0-unprivileged`; compares by its numbers only."""

    major: int
    minor: int
    patch: int
    flavour: str = field(default="", compare=False)

    @property
    def is_unprivileged(self) -> bool:
        """Whether the image runs as uid 1000 instead of root (qdrant Dockerfile, USER_ID)."""
        return "unprivileged" in self.flavour

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def parse_version(text: str) -> Version | None:
    """The version in an image tag or of a process; None where there is none."""
    found = _TAG.fullmatch(text.strip())
    if not found:
        return None
    major, minor, patch = int(found["major"]), int(found["minor"]), int(found["patch"])
    return Version(major, minor, patch, found["flavour"] or "")


def version_obstacles(target: str, running: Mapping[str, str]) -> list[Obstacle]:
    """Why the nodes must not be upgraded to a tag.

    Args:
        target: the tag.
        running: the versions of the processes, by device.
    """
    wanted = parse_version(target)
    if wanted is None:
        return [
            Obstacle(
                f"what version the tag {target} means cannot be told",
                "name a release in full, as v1.19.0",
            )
        ]
    current = {device: parse_version(text) for device, text in running.items()}
    found = [
        Obstacle(f"it runs {running[device]}, which is no release", "", device)
        for device, version in current.items()
        if version is None
    ]
    known = {device: version for device, version in current.items() if version}
    old = {version for version in known.values() if version != wanted}
    if len(old) > 1:
        found.append(differ(running, f"bring all to {max(old)} first"))
    for version in sorted(old):
        on = ", ".join(device for device, each in known.items() if each == version)
        found += _step(version, wanted, on)
    return found


def differ(running: Mapping[str, str], hint: str) -> Obstacle:
    """That the nodes run different versions."""
    each = ", ".join(f"{device} {version}" for device, version in running.items())
    return Obstacle(f"the nodes run different versions: {each}", hint)


def _step(current: Version, wanted: Version, on: str) -> list[Obstacle]:
    if wanted < current:
        return [
            Obstacle(
                f"{wanted} is older than {current} on {on}: Qdrant does not go back",
                f"name {current} or newer; the way back is a new cluster and a restore",
            )
        ]
    if wanted.major != current.major or wanted.minor > current.minor + 1:
        between = f"{current.major}.{current.minor + 1}"
        return [
            Obstacle(
                f"from {current} on {on} to {wanted} is more than one minor version",
                f"roll to the latest v{between}.x first",
            )
        ]
    return []
