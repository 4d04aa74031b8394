"""A file that paisctl keeps on a host."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from paisctl.secrets import Vault, has_token

FileAction = Literal["none", "reload", "restart", "recreate"]


@dataclass(frozen=True, slots=True)
class FileCheck:
    """A command that must accept the staged file; it runs in the image of a service."""

    service: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """Content that only the host has, in what it keeps of a generation.

    `revision` names the stack's folder there; `digest` is keyed when the file is secret.
    """

    revision: str
    digest: str
    secret: bool


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A file as it should be. `path` is relative to the stack's directory on the host.

    `content` may hold secret tokens; then the file is secret: its mode is 0600 and its digests are
    keyed. A file of a generation has no content here, it is `kept` on the host.
    """

    path: str
    content: str
    mode: str = "0644"
    check: FileCheck | None = None
    action: FileAction = "none"
    service: str | None = None
    signal: str | None = None
    kept: Kept | None = None

    @property
    def secret(self) -> bool:
        return self.kept.secret if self.kept else has_token(self.content)

    @property
    def template_digest(self) -> str:
        """SHA-256 of the content with its secrets left out."""
        return hashlib.sha256(self.content.encode("utf-8", "surrogateescape")).hexdigest()

    def bytes(self, vault: Vault) -> bytes:
        """What is written to the host, secrets in place."""
        return vault.reveal(self.content).encode("utf-8", "surrogateescape")

    def digest(self, vault: Vault) -> str:
        """SHA-256 of the content; keyed when the file is secret."""
        if self.kept:
            return self.kept.digest
        plain = hashlib.sha256(self.bytes(vault)).hexdigest()
        return vault.seal(plain) if self.secret else plain


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it is on the host. `kind` is its type letter from `ls -l`: `-` or `l`."""

    path: str
    mode: str
    digest: str
    kind: str = "-"
