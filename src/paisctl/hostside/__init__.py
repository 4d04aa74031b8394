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


def probe_text(
    root: str,
    docker: str = "",
    docker_sudo: bool | None = None,
    *,
    texts: bool = False,
    history: bool = False,
) -> str:
    """The program that reads a host.

    Args:
        root: the directory that paisctl owns there; may begin with `~/`.
        docker: absolute path of docker; empty to look for it.
        docker_sudo: whether docker needs `sudo -n`; None to find out.
        texts: whether to read what is in its files, too.
        history: whether to read its generations and the whole of its audit.log, too.
    """
    parameters = assignments(
        ROOT=root,
        DOCKER=docker,
        SUDO={None: "", True: "yes", False: "no"}[docker_sudo],
        TEXTS="yes" if texts else "",
        HISTORY="yes" if history else "",
    )
    return parameters + probe_program()


def probe_program() -> str:
    """All that reads a host, as one text; its variables go in front."""
    return script("document.sh") + script("memory.sh") + script("probe.sh")


def assignments(**values: str) -> str:
    """Lines that set shell variables, for in front of a script."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
