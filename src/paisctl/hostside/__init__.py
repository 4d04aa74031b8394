"""The POSIX shell texts that run on a host, and how values get into them."""

from __future__ import annotations

import shlex
from importlib import resources

# What runs on a host reads its program from stdin, so that the command line is two plain words to
# whatever login shell there is: bash, fish or csh.
COMMAND = "sh -s"


def script(name: str) -> str:
    """The text of a shell file beside this module."""
    return resources.files(__name__).joinpath(name).read_text("utf-8")


def probe_program() -> str:
    """All that reads a host, as one text; its variables go in front."""
    return script("memory.sh") + script("probe.sh")


def assignments(**values: str) -> str:
    """Lines that set shell variables, for in front of a script."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
