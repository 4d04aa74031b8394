"""Who may ask what: API tokens, OAuth clients and their scopes.

Names of scopes and "a write scope includes reading": "Trust credentials" in the Tailscale
documentation. Tokens by Bearer, or as the user name of HTTP Basic with no password (OpenAPI).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credential:
    """What a token may do. `tags` are those that an OAuth client's keys and devices may carry."""

    scopes: tuple[str, ...] = ("all",)
    tags: tuple[str, ...] = ()
    is_oauth: bool = False

    def may(self, scope: str) -> bool:
        reading = scope.endswith(":read")
        wanted = {"all", scope, scope.removesuffix(":read")} | ({"all:read"} if reading else set())
        return bool(wanted & set(self.scopes))


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A client of `POST /oauth/token`."""

    id: str
    secret: str
    scopes: tuple[str, ...] = ("policy_file", "devices:core", "auth_keys", "users:read")
    tags: tuple[str, ...] = ()


def token_of(authorization: str) -> str:
    """The token of an Authorization header; empty when it has none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
