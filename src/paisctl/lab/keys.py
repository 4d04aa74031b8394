"""Key pairs of the lab: one for the client, one per host, kept in the state directory."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


def ensure_key_pair(private: Path) -> str:
    """Make an ed25519 key pair in OpenSSH's format, unless `private` exists.

    Returns:
        The public key as one line, `ssh-ed25519 AAAA…`; it is also in `<private>.pub`.
    """
    public = private.with_name(private.name + ".pub")
    if not private.exists():
        key = Ed25519PrivateKey.generate()
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        private.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret)
        line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        public.write_bytes(line + b"\n")
    return public.read_text("ascii").strip()
