"""How to sign in to a control plane, and where the environment says so.

The names are those of Tailscale's own tools: its Terraform provider (`TAILSCALE_…`) and
gitops-pusher (`TS_…`), and Headscale's `headscale` command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from paisctl.errors import CredentialsRefused
from paisctl.tailnet.hidden import Hidden

_TOKENS = {
    "tailscale": ("TAILSCALE_API_KEY", "TS_API_KEY"),
    "headscale": ("HEADSCALE_API_KEY", "HEADSCALE_CLI_API_KEY"),
}
_CLIENTS = (
    ("TAILSCALE_OAUTH_CLIENT_ID", "TAILSCALE_OAUTH_CLIENT_SECRET"),
    ("TS_OAUTH_ID", "TS_OAUTH_SECRET"),
)
# Keys that are often taken for an API access token (Tailscale docs, "Key and secret types").
_OTHER_KEYS = {"tskey-auth-": "an auth key for machines", "tskey-client-": "an OAuth secret"}


@dataclass(frozen=True, slots=True)
class Token:
    """An API access token.

    Attributes:
        hidden: the token.
        origin: where it comes from, for messages: a variable, or `the secret NAME`.
    """

    hidden: Hidden
    origin: str


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """An OAuth client, which makes itself tokens that hold for an hour."""

    client_id: str
    hidden: Hidden
    origin: str


Credentials = Token | OAuthClient


def token(text: str, origin: str) -> Token:
    """An API access token.

    Raises:
        CredentialsRefused: the text is none; the message does not hold it.
    """
    for beginning, what in _OTHER_KEYS.items():
        if text.startswith(beginning):
            hint = "an API access token begins with `tskey-api-`; make one in the admin console"
            raise CredentialsRefused(f"{origin} holds {what}, not an API access token", hint)
    return Token(_usable(text, origin), origin)


def oauth_client(client_id: str, secret: str, origin: str) -> OAuthClient:
    """An OAuth client. Raises CredentialsRefused as `token` does."""
    return OAuthClient(client_id.strip(), _usable(secret, origin), origin)


def from_environment(
    control: Literal["tailscale", "headscale"], environment: Mapping[str, str]
) -> Credentials | None:
    """The credentials that the environment holds; an empty variable is none.

    Raises:
        CredentialsRefused: it holds half of an OAuth client, or both a client and a token.
    """
    tokens = [name for name in _TOKENS[control] if environment.get(name)]
    clients = _clients(environment) if control == "tailscale" else []
    if tokens and clients:
        message = f"both {tokens[0]} and {clients[0][0]} are set"
        raise CredentialsRefused(message, "unset the one that is not meant")
    if tokens:
        return token(environment[tokens[0]], tokens[0])
    for name, secret in clients:
        return oauth_client(environment[name], environment[secret], name)
    return None


def variables(control: Literal["tailscale", "headscale"]) -> str:
    """The variables to set, for hints."""
    names = [_TOKENS[control][0]]
    return " or ".join([*names, " and ".join(_CLIENTS[0])] if control == "tailscale" else names)


def mask(text: str, secrets: Sequence[Hidden]) -> str:
    """A text from outside without the credentials that it may repeat."""
    for secret in secrets:
        text = text.replace(secret.reveal(), "(hidden)") if secret else text
    return text


def _clients(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    found = []
    for pair in _CLIENTS:
        present = [name for name in pair if environment.get(name)]
        if len(present) == 1:
            (missing,) = set(pair) - set(present)
            raise CredentialsRefused(f"{present[0]} is set, but {missing} is not")
        found += [pair] if present else []
    return found


def _usable(text: str, origin: str) -> Hidden:
    """A credential that can stand in a header; the error of a library would repeat it."""
    value = text.strip()
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise CredentialsRefused(f"{origin} holds no credential: it is empty, or not plain text")
    return Hidden(value)
