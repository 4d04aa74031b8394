"""A reason to refuse a policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Control = Literal["tailscale", "headscale"]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason to refuse a policy. `path` is where: section, key or index, and so on."""

    message: str
    path: Path
    hint: str | None = None
