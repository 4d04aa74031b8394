"""From which revision of the inventory something was made."""

from __future__ import annotations

import subprocess
from pathlib import Path

_PATIENCE = 10.0  # seconds


def git_revision(folder: Path) -> str:
    """The git commit that a folder is at: 12 hex digits, then `-dirty` if files were edited since.

    Files that git does not know do not count. Empty where there is no repository, or no git.
    """
    # Without tags to name it after, `describe` gives the commit; one call says both things.
    describe = ["describe", "--always", "--exclude=*", "--abbrev=12", "--dirty"]
    command = ["git", "--no-optional-locks", "-C", str(folder), *describe]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
