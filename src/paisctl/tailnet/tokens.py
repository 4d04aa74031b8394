"""What to sign requests with: a token as it is, or one that an OAuth client has made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from paisctl.errors import TailnetError
from paisctl.tailnet.answers import Purpose, json_of
from paisctl.tailnet.connection import Connection
from paisctl.tailnet.credentials import Credentials, OAuthClient, Token
from paisctl.tailnet.hidden import Hidden

_EXCHANGE = Purpose("make an access token")
_MARGIN = 60.0  # seconds before its end in which a token is no longer used
_LIFETIME = 3600.0  # when the answer does not say (Tailscale docs, "OAuth clients")


class Tokens(Protocol):
    def current(self) -> Hidden:
        """A token that holds. Raises TailnetError when none can be had."""

    def drop(self) -> bool:
        """Forget a token that was refused; whether there is hope in another."""


class FixedToken:
    """A token that somebody has made."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def current(self) -> Hidden:
        return self._token.hidden

    def drop(self) -> bool:
        return False


class OAuthTokens:
    """Tokens that an OAuth client makes, each used for as long as it holds (RFC 6749, 4.4)."""

    def __init__(
        self, client: OAuthClient, connection: Connection, clock: Callable[[], float]
    ) -> None:
        self._client, self._connection, self._clock = client, connection, clock
        self._token: Hidden | None = None
        self._until = 0.0
        self._is_new = False

    def current(self) -> Hidden:
        self._is_new = self._token is None or self._clock() >= self._until
        if self._token is None or self._is_new:
            self._token = self._made()
        return self._token

    def drop(self) -> bool:
        self._token = None
        return not self._is_new

    def _made(self) -> Hidden:
        asked_at = self._clock()
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client.client_id,
            "client_secret": self._client.hidden.reveal(),
        }
        response = self._connection.send(_EXCHANGE, "POST", "/oauth/token", data=form)
        data = json_of(response, _EXCHANGE, self._connection.control)
        token, lifetime = data.get("access_token"), data.get("expires_in")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise TailnetError(f"{self._connection.control} made no access token")
        holds = float(lifetime) if isinstance(lifetime, (int, float)) else _LIFETIME
        self._until = asked_at + holds - _MARGIN
        return Hidden(token)


def tokens_of(
    credentials: Credentials, connection: Connection, clock: Callable[[], float]
) -> Tokens:
    """What to sign with, for either kind of credential."""
    if isinstance(credentials, OAuthClient):
        return OAuthTokens(credentials, connection, clock)
    return FixedToken(credentials)
