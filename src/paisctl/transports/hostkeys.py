"""Strict host keys: a key must be in known_hosts or pinned; nothing is ever added.

Whether a key is accepted is decided here alone. The client below is given no keys of its own, so
that it asks this policy about every server.
"""

from __future__ import annotations

import binascii
import hmac
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from paramiko import HostKeys, MissingHostKeyPolicy, PKey, SSHClient, SSHException
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

from paisctl.errors import HostError, HostKeyChanged, HostKeyUnknown
from paisctl.transports.openssh import ResolvedHost

# What OpenSSH calls the signature algorithms that an RSA key may be used with.
_ALGORITHMS = {"ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256"]}


class StrictHostKeys(MissingHostKeyPolicy):
    """Accepts a server only by a key that is already known.

    Raises:
        HostError: the pinned key cannot be read.
    """

    def __init__(self, host: ResolvedHost) -> None:
        self._host = host
        self._revoked: list[PKey] = []
        self._known = [_parse_pinned(host)] if host.host_key else self._from_files()

    @property
    def algorithms(self) -> list[str]:
        """What to ask the server for first: the kinds of key by which we know it."""
        names = [key.get_name() for key in self._known]
        return [name for kind in names for name in _ALGORITHMS.get(kind, [kind])]

    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
        """Called with the server's key before anything is sent to it.

        Raises:
            HostKeyChanged: the host is known by other keys, or this key is revoked.
            HostKeyUnknown: nothing is known about the host.
        """
        del client, hostname
        if key in self._known and key not in self._revoked:
            return
        offered = f"{key.get_name()} {key.fingerprint}"
        if not self._known:
            raise HostKeyUnknown(
                f"the host key of {self._host} is not known: it offers {offered}", self._add_hint()
            )
        known = ", ".join(f"{k.get_name()} {k.fingerprint}" for k in self._known)
        raise HostKeyChanged(
            f"THE HOST KEY OF {self._host} HAS CHANGED: expected {known}, it offers {offered}; "
            "another machine may be answering in its place, so nothing was sent",
            self._changed_hint(),
        )

    def _add_hint(self) -> str:
        """How to look at the key and add it."""
        host, file = self._host, self._host.known_hosts[0]
        return (
            "compare the fingerprint on the machine itself "
            "(`for f in /etc/ssh/ssh_host_*.pub; do ssh-keygen -lf $f; done`), then add the key: "
            f"ssh-keyscan -p {host.port} {host.hostname} >> {file}"
        )

    def _changed_hint(self) -> str:
        if self._host.host_key:
            return "if the machine was installed anew, put its new key into the inventory"
        file = self._host.known_hosts[0]
        removals = "; ".join(f"ssh-keygen -R '{name}' -f {file}" for name in self._host.names)
        return f"if the machine was installed anew: {removals}; then {self._add_hint()}"

    def _from_files(self) -> list[PKey]:
        """The keys filed under the best of the host's names that has any."""
        lines = [line for path in self._host.known_hosts for line in _lines(Path(path))]
        for name in self._host.names:
            self._revoked = list(_keys(lines, name, "@revoked"))
            if known := list(_keys(lines, name, "")) or self._revoked:
                return known
        return []


def _parse_pinned(host: ResolvedHost) -> PKey:
    entry = _entry(f"pinned {host.host_key}")
    if entry is None:
        raise HostError(
            f"the host key pinned for {host} cannot be read",
            "write it as in a known_hosts line, without the name: `ssh-ed25519 AAAA…`",
        )
    return entry.key


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _keys(lines: Iterable[str], name: str, marker: str) -> Iterator[PKey]:
    """The keys of a host in known_hosts lines that carry this marker (sshd(8))."""
    for line in lines:
        words = line.split()
        if words and words[0].startswith("@"):
            mark, *words = words
        else:
            mark = ""
        if mark != marker or not words or not _matches(words[0], name):
            continue
        entry = _entry(" ".join(words))
        if entry is not None:
            yield entry.key


def _entry(line: str) -> HostKeyEntry | None:
    try:
        return HostKeyEntry.from_line(line)
    except (InvalidHostKey, SSHException, ValueError):
        return None


def _matches(names: str, name: str) -> bool:
    """Whether the first word of a known_hosts line, hashed or a list of patterns, means a host."""
    if names.startswith("|1|"):
        try:
            return hmac.compare_digest(HostKeys.hash_host(name, names), names)
        except (binascii.Error, AssertionError, IndexError):
            return False
    patterns = names.lower().split(",")
    if any(_like(name, pattern[1:]) for pattern in patterns if pattern.startswith("!")):
        return False
    return any(_like(name, pattern) for pattern in patterns)


def _like(name: str, pattern: str) -> bool:
    """ssh_config(5) patterns: `*` and `?`; brackets stand for themselves, as in `[host]:2222`."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, name.lower()) is not None
