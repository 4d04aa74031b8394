"""From which revision of the inventory something was made."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_PATIENCE = 10.0  # seconds
# By these a hook of git says which repository it runs for; in `git rev-parse --local-env-vars`.
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX")


def git_environment() -> dict[str, str]:
    """The environment for asking git of the repository that a folder is in, also within a hook."""
    return {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}


def git_revision(folder: Path) -> str:
    """The git commit that a folder is at: 12 hex digits, then `-dirty` if files were edited since.

    Files that git does not know do not count. Empty where there is no repository, or no git.
    """
    # Without tags to name it after, `describe` gives the commit; one call says both things.
    describe = ["describe", "--always", "--exclude=*", "--abbrev=12", "--dirty"]
    command = ["git", "--no-optional-locks", "-C", str(folder), *describe]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
            env=git_environment(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
