"""How a host is reached, and where things are on it: words that programs must take as they are.

A login name or host name ends up in a user's own `ProxyCommand` or `Match exec`, which a shell runs;
OpenSSH refuses the same ones since 9.6 (ssh.c, valid_hostname and valid_ruser).
"""

from __future__ import annotations

import re

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.load import FleetDevice

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_IN_LOGIN = re.compile(r"[\s\x00-\x1f\x7f-\x9f'`\"$\\;&<>|(){}]")
_STEPS = re.compile(r"/(\.{0,2})(?=/|$)")


def check_access(device: FleetDevice, diagnostics: Diagnostics) -> None:
    """Refuse what would be taken for an option, for shell code, or for another place."""
    ssh, docker = device.device.ssh, device.device.docker
    logins = {"host": ssh.host, "user": ssh.user, "proxy_jump": ssh.proxy_jump}
    for key, value in logins.items():
        if value is not None and _is_hostile(value, several=key == "proxy_jump"):
            message = f"`{value}` cannot be used as `{key}` of SSH"
            hint = "it may hold no blanks, quotes or brackets, no other signs that mean something "
            hint += "to a shell, and begin with no dash"
            diagnostics.error("bad-value", message, device.source.mark(("ssh", key)), hint)
    paths = {"identity_file": ssh.identity_file, "known_hosts": ssh.known_hosts}
    for key, value in paths.items():
        if value is not None and (not value or _CONTROL.search(value)):
            message = f"`{value}` is no file's name"
            diagnostics.error("bad-value", message, device.source.mark(("ssh", key)))
    _root(device, diagnostics)
    if docker.command is not None and not _is_plain_path(docker.command):
        message = f"`{docker.command}` is not the absolute path of a program"
        diagnostics.error("bad-value", message, device.source.mark(("docker", "command")))


def _root(device: FleetDevice, diagnostics: Diagnostics) -> None:
    root = device.device.root
    if not _is_plain_path(root.removeprefix("~")):
        message = f"`{root}` is not a plain path"
        hint = "write it without `.`, `..`, doubled or last slashes, for example /opt/paisctl"
        diagnostics.error("bad-value", message, device.source.mark(("root",)), hint)


def _is_plain_path(path: str) -> bool:
    return path.startswith("/") and not (_STEPS.search(path) or _CONTROL.search(path))


def _is_hostile(value: str, *, several: bool) -> bool:
    words = value.split(",") if several else [value]
    return any(
        not word or word.startswith("-") or "," in word or bool(_NOT_IN_LOGIN.search(word))
        for word in words
    )
