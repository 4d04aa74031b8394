"""Requests to a control plane, repeated where that is safe, and never showing a credential."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx

from paisctl import __version__
from paisctl.inventory.types import is_loopback
from paisctl.tailnet.address import api_address
from paisctl.tailnet.answers import NEVER_SENT, Purpose, broken, message_of, refused
from paisctl.tailnet.credentials import mask
from paisctl.tailnet.hidden import Hidden

_PAUSES = (1.0, 2.0, 4.0)  # seconds between attempts
_PATIENCE = 60.0  # seconds that a control plane may ask us to wait
_LONGEST = 300  # characters of an answer that are repeated
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)

Sleep = Callable[[float], None]


class Connection:
    """A control plane's API.

    What may be done twice is tried again after a timeout, 429 or 5xx; what may not, only when it
    was certainly not carried out: no connection stood, or the answer was 429.

    Args:
        control: its name, for messages.
        url: its address, without the API's path.
        path: the API's path, `/api/v2`.
        origin: where the credential comes from, for messages.
        secrets: what no message may repeat.
        transport: instead of the network.
        sleep: waits some seconds.
    """

    def __init__(
        self,
        control: str,
        url: str,
        path: str,
        origin: str,
        secrets: tuple[Hidden, ...],
        transport: httpx.BaseTransport | None = None,
        sleep: Sleep = time.sleep,
    ) -> None:
        base = api_address(url, path)
        self.control = control
        self._origin, self._secrets, self._sleep = origin, secrets, sleep
        self._bearer: Hidden | None = None
        self._client = httpx.Client(
            base_url=base,
            timeout=_TIMEOUT,
            transport=transport,
            headers={"User-Agent": f"paisctl/{__version__}"},
            trust_env=not is_loopback(base.host),  # a proxy is not asked for this machine
        )

    def send(
        self,
        purpose: Purpose,
        method: str,
        path: str,
        bearer: Hidden | None = None,
        expected: Callable[[httpx.Response], bool] = lambda response: response.is_success,
        **content: Any,
    ) -> httpx.Response:
        """The answer to a request.

        Args:
            purpose: what it is for.
            method: GET, POST, PUT.
            path: below the API's.
            bearer: what to sign in with.
            expected: whether an answer is one to return; others are errors.
            content: httpx's `json`, `content`, `data`, `params`, `headers`.

        Raises:
            TailnetError: there is no answer, or not one that was expected.
        """
        auth = None if bearer is None else _Bearer(bearer)
        self._bearer = bearer or self._bearer
        for pause in (*_PAUSES, None):
            try:
                response = self._client.request(method, path, auth=auth, **content)
            except httpx.HTTPError as error:
                failure = broken(error, purpose, self._client.base_url.netloc.decode())
                wait = 0.0 if purpose.repeatable or isinstance(error, NEVER_SENT) else None
            else:
                if expected(response):
                    return response
                said = self.said(response)
                failure = refused(response, purpose, self.control, self._origin, said)
                wait = _worth_waiting(response, purpose)
            if pause is None or wait is None:
                break
            self._sleep(max(pause, wait))
        raise failure

    def said(self, response: httpx.Response) -> str:
        """What an answer says of itself, fit for a message: short, on one line, and masked."""
        return self.masked(message_of(response))[:_LONGEST]

    def masked(self, text: str) -> str:
        """A text of the control plane without the credentials that it may repeat."""
        return mask(text, (*self._secrets, self._bearer or Hidden("")))

    def close(self) -> None:
        self._client.close()


class _Bearer(httpx.Auth):
    """Puts the credential into the request at the last moment."""

    def __init__(self, value: Hidden) -> None:
        self._value = value

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = f"Bearer {self._value.reveal()}"
        yield request


def _worth_waiting(response: httpx.Response, purpose: Purpose) -> float | None:
    """Seconds to wait before asking again; None when asking again is not safe or no use."""
    status = response.status_code
    overloaded = status == HTTPStatus.TOO_MANY_REQUESTS
    if not overloaded and not (purpose.repeatable and status >= HTTPStatus.INTERNAL_SERVER_ERROR):
        return None
    wait = _retry_after(response.headers)
    return wait if wait <= _PATIENCE else None


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that `Retry-After` asks for, given as such or as a date (RFC 9110, 10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
