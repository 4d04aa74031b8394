"""Expected outputs as real files; PAISCTL_GOLDEN=1 writes them anew, for review with git diff."""

from __future__ import annotations

import os
from pathlib import Path

REWRITE = bool(os.environ.get("PAISCTL_GOLDEN"))


def expect(path: Path, actual: str) -> None:
    """Assert that a text is what a file holds, byte for byte."""
    if REWRITE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(actual.encode())
        return
    assert path.is_file(), f"{path} is missing; `make golden` writes it"
    assert actual == path.read_bytes().decode(), f"differs from {path}; see `make golden`"
