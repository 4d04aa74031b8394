"""What OpenSSH would do: the user's configuration for a host, resolved by `ssh -G` itself.

So Include, Match, tokens and canonical names mean here what they mean to `ssh`.
"""

from __future__ import annotations

import getpass
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace

from paisctl.errors import HostError
from paisctl.transports import SshSettings

# Of OpenSSH's defaults, the kinds that paramiko can load.
DEFAULT_IDENTITIES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
DEFAULT_KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")


@dataclass(frozen=True, slots=True)
class ResolvedHost:
    """Where and how to connect, nothing left open.

    Attributes:
        names: what the host's key may be filed under in known_hosts, best first.
        identities: private key files to try, in this order; they need not exist.
        jumps: the hosts to jump through, nearest first.
        proxy_command: a local command that carries the connection, instead of jumps.
    """

    hostname: str
    port: int
    user: str
    names: tuple[str, ...]
    known_hosts: tuple[str, ...]
    host_key: str | None
    identities: tuple[str, ...]
    identities_only: bool
    jumps: tuple[SshSettings, ...]
    proxy_command: str | None
    connect_timeout: float

    def __str__(self) -> str:
        return f"{self.user}@{self.hostname}:{self.port}"


def resolve(settings: SshSettings) -> ResolvedHost:
    """Fill in what the settings leave open.

    Raises:
        HostError: the user's ssh configuration is not valid.
    """
    options = _openssh_options(settings)

    def first(key: str, default: str) -> str:
        return options.get(key, [default])[0]

    hostname = first("hostname", settings.host)
    port = int(first("port", str(settings.port or 22)))
    known_hosts = [settings.known_hosts] if settings.known_hosts else _known_hosts(options)
    jumps = first("proxyjump", settings.proxy_jump or "none")
    user = first("user", settings.user or getpass.getuser())
    command = first("proxycommand", "none")
    tokens = {"%h": hostname, "%n": settings.host, "%p": str(port), "%r": user, "%%": "%"}
    timeout = first("connecttimeout", "none")
    return ResolvedHost(
        hostname=hostname,
        port=port,
        user=user,
        names=_known_names(first("hostkeyalias", ""), hostname, port),
        known_hosts=_expanded(known_hosts or DEFAULT_KNOWN_HOSTS),
        host_key=settings.host_key,
        identities=_identities(settings, options),
        identities_only=first("identitiesonly", "no") == "yes",
        jumps=() if jumps == "none" else tuple(_jumps(jumps, settings)),
        proxy_command=None if command == "none" else _filled_in(command, tokens),
        connect_timeout=settings.connect_timeout or (10 if timeout == "none" else float(timeout)),
    )


def _openssh_options(settings: SshSettings) -> dict[str, list[str]]:
    """The answer of `ssh -G`; empty where there is no ssh client, and so no configuration."""
    flags = {
        "-F": settings.config_file,
        "-p": settings.port,
        "-l": settings.user,
        "-J": settings.proxy_jump,
    }
    given = [str(word) for flag, value in flags.items() if value for word in (flag, value)]
    try:
        answer = subprocess.run(
            ["ssh", "-G", *given, "--", settings.host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        return {}
    if answer.returncode != 0:
        reason = answer.stderr.decode(errors="replace").strip()
        raise HostError(
            f"the ssh configuration for {settings.host} is not valid: {reason}",
            f"ssh -G {settings.host}",
        )
    options: dict[str, list[str]] = {}
    for line in answer.stdout.decode("utf-8", "surrogateescape").splitlines():
        key, _, value = line.partition(" ")
        options.setdefault(key, []).append(value)
    return options


def _identities(settings: SshSettings, options: dict[str, list[str]]) -> tuple[str, ...]:
    configured = options.get("identityfile", DEFAULT_IDENTITIES)
    given = [settings.identity_file] if settings.identity_file else []
    return _expanded([*given, *configured])


def _known_hosts(options: dict[str, list[str]]) -> list[str]:
    values = [*options.get("userknownhostsfile", []), *options.get("globalknownhostsfile", [])]
    return [word for value in values for word in value.split() if word != "none"]


def _expanded(paths: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.expanduser(path) for path in paths))  # noqa: PTH111


def _known_names(alias: str, hostname: str, port: int) -> tuple[str, ...]:
    """As sshconnect.c looks them up: the alias alone, or with the port and then without."""
    if alias:
        return (alias,)
    return (hostname,) if port == 22 else (f"[{hostname}]:{port}", hostname)


def _jumps(text: str, settings: SshSettings) -> Iterator[SshSettings]:
    for jump in text.split(","):
        login, _, place = jump.strip().removeprefix("ssh://").rpartition("@")
        host, _, port = place.rpartition(":") if _has_port(place) else (place, "", "")
        yield replace(
            settings,
            host=host.strip("[]"),
            port=int(port) if port else None,
            user=login or None,
            host_key=None,
            proxy_jump=None,
        )


def _filled_in(command: str, tokens: dict[str, str]) -> str:
    return re.sub("%[hnpr%]", lambda match: tokens[match[0]], command)


def _has_port(place: str) -> bool:
    return place.count(":") == 1 or "]:" in place
