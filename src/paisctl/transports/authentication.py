"""Who we are to a host: no credentials at all, then keys from the agent and from files."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from pathlib import Path

from paramiko import Agent, PasswordRequiredException, PKey, SSHException
from paramiko.auth_strategy import AuthSource, AuthStrategy, InMemoryPrivateKey, NoneAuth
from paramiko.config import SSHConfig
from paramiko.pkey import UnknownKeyType

from paisctl.transports.openssh import ResolvedHost


class KeysWithoutPrompts(AuthStrategy):
    """Tries what needs no person to type: Tailscale SSH accepts `none`; else keys.

    After a failure, `tried` holds the fingerprints of the keys that were refused and `locked` the
    files that would have needed a passphrase.
    """

    def __init__(self, host: ResolvedHost) -> None:
        super().__init__(ssh_config=SSHConfig())
        self._host = host
        self.tried: list[str] = []
        self.locked: list[str] = []

    def get_sources(self) -> Iterator[AuthSource]:
        yield NoneAuth(self._host.user)
        agent = Agent()
        try:
            for key in self._keys({key.asbytes(): key for key in agent.get_keys()}):
                self.tried.append(key.fingerprint)
                yield InMemoryPrivateKey(self._host.user, key)
        finally:
            agent.close()

    def _keys(self, held: dict[bytes, PKey]) -> Iterator[PKey]:
        """The configured keys, then what else the agent holds.

        OpenSSH goes the other way round, and an agent with many keys uses up the attempts that
        sshd allows (MaxAuthTries) before the right one has its turn.
        """
        for path in map(Path, self._host.identities):
            blob = _public_blob(path)
            key = held.pop(blob) if blob in held else self._from_file(path)
            if key is not None:
                yield key
        if not self._host.identities_only:
            yield from held.values()

    def _from_file(self, path: Path) -> PKey | None:
        try:
            return PKey.from_path(path)
        except (PasswordRequiredException, TypeError):  # TypeError: as cryptography says it
            self.locked.append(str(path))
        except (OSError, SSHException, ValueError, UnknownKeyType):
            pass  # Not there, or not a kind of key that can be used: OpenSSH passes over it too.
        return None


def _public_blob(path: Path) -> bytes:
    """The public half of a key file, which may itself be the public half of a key in the agent."""
    public = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
    try:
        return binascii.a2b_base64(public.read_text("utf-8").split()[1])
    except (OSError, ValueError, IndexError):
        return b""
