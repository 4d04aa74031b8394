"""What a lab host is like, by device kind: `assets/profiles.yaml` as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True, slots=True)
class Profile:
    """How a lab host treats a login. `docker` is a path, `path` the PATH of SSH sessions."""

    name: str
    docker: str
    path: str
    socket: str
    userland: str
    mounts: str

    def environment(self, root: str) -> dict[str, str]:
        """What the container's first process (`assets/host/start`) is told."""
        return {
            "LAB_DOCKER": self.docker,
            "LAB_PATH": self.path,
            "LAB_ROOT": root,
            "LAB_SOCKET": self.socket,
            "LAB_USERLAND": self.userland,
            "LAB_MOUNTS": self.mounts,
        }


@cache
def _profiles() -> Mapping[str, Profile]:
    rows = yaml.safe_load((ASSETS / "profiles.yaml").read_text("utf-8"))
    return {name: Profile(name, **row) for name, row in rows.items()}


def profile_for(kind: str, os: str) -> Profile:
    """The profile of a device kind, else of its system family, else of plain Linux."""
    profiles = _profiles()
    return profiles.get(kind) or profiles.get(os) or profiles["linux"]
