"""What went wrong with a request, in words that a person can act on."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from paisctl.errors import (
    ControlUnreachable,
    CredentialsRefused,
    OutcomeUnknown,
    PolicyMoved,
    TailnetError,
)

# The connection never stood, so nothing was carried out.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a request is for.

    Attributes:
        doing: completes "… may not": `read the policy`.
        scope: what an OAuth client needs for it; empty where there are no scopes.
        repeatable: whether doing it twice is the same as doing it once.
    """

    doing: str
    scope: str = ""
    repeatable: bool = True


def broken(error: httpx.HTTPError, purpose: Purpose, where: str) -> TailnetError:
    """A request that got no answer.

    Args:
        error: how it failed.
        purpose: what it was for.
        where: the host that was asked.
    """
    causes = list(_causes(error))
    if isinstance(error, httpx.TimeoutException):
        message = f"{where} does not answer in time"
    elif any(isinstance(cause, socket.gaierror) for cause in causes):
        hint = "look at the name, and at this machine's network"
        return ControlUnreachable(f"the name {where} cannot be resolved", hint)
    elif any(isinstance(cause, ssl.SSLError) for cause in causes):
        hint = "for a certificate of one's own, SSL_CERT_FILE names the authority's"
        return ControlUnreachable(f"the certificate of {where} is not trusted: {causes[-1]}", hint)
    elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        message = f"nothing listens at {where}"
    elif isinstance(error, NEVER_SENT):
        message = f"no connection to {where}: {causes[-1]}"
    else:
        message = f"the connection to {where} broke"
    if purpose.repeatable or isinstance(error, NEVER_SENT):
        return ControlUnreachable(message)
    return OutcomeUnknown(f"{message}; whether it did {purpose.doing} is not known")


def refused(
    response: httpx.Response, purpose: Purpose, control: str, origin: str, said: str
) -> TailnetError:
    """An answer that is not the one asked for.

    Args:
        response: the answer.
        purpose: what was asked.
        control: the control plane's name.
        origin: where the credential comes from.
        said: its own words, credentials masked.
    """
    status = response.status_code
    words = f": {said}" if said else ""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return _not_allowed(status, purpose, f"{control} does not accept {origin}", origin, words)
    if status == HTTPStatus.PRECONDITION_FAILED:
        return PolicyMoved()
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        after = response.headers.get("Retry-After", "")
        wait = f"it asks to wait {after} s" if after.isdigit() else "wait a minute"
        return ControlUnreachable(f"{control} has been asked too often", wait)
    answered = f"{status} {response.reason_phrase}".strip() + words
    message = f"asked to {purpose.doing}, {control} answered {answered}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        if purpose.repeatable:
            return ControlUnreachable(message)
        return OutcomeUnknown(f"{message}; whether it did is not known")
    is_elsewhere = status == HTTPStatus.NOT_FOUND or response.is_redirect
    where = f"is `tailnet.url` right, and the credential of this tailnet? asked: {asked(response)}"
    return TailnetError(message, where if is_elsewhere else None)


def _not_allowed(
    status: int, purpose: Purpose, unknown: str, origin: str, words: str
) -> CredentialsRefused:
    if status == HTTPStatus.UNAUTHORIZED:
        hint = "has it expired, or been revoked? tokens hold for 90 days at the most"
        return CredentialsRefused(f"{unknown}{words}", hint)
    needed = (
        f"an OAuth client needs the scope `{purpose.scope}`; a token, an owner with such a role"
    )
    return CredentialsRefused(
        f"{origin} may not {purpose.doing}{words}", needed if purpose.scope else None
    )


def asked(response: httpx.Response) -> str:
    """The address that was asked, without its query."""
    return str(response.request.url.copy_with(query=None))


def message_of(response: httpx.Response) -> str:
    """What an answer says of itself, on one line; empty for web pages and the like.

    It may repeat a credential: for messages there is `Connection.said`.

    Tailscale says `message`, Headscale up to 0.29 `message`, too, and after it `detail` with
    `errors` (RFC 9457).
    """
    try:
        data = response.json()
    except ValueError:
        return ""
    if not isinstance(data, dict):
        return ""
    message = data.get("message") or data.get("detail") or data.get("error_description")
    details = [message, *(error.get("message") for error in listed(data, "errors"))]
    texts = dict.fromkeys(" ".join(str(text).split()) for text in details if text)
    return ": ".join(texts)


def json_of(response: httpx.Response, purpose: Purpose, control: str) -> dict[str, Any]:
    """The object that an answer holds.

    Raises:
        TailnetError: it is something else: a login page of a network, another program.
    """
    try:
        data = response.json()
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, dict):
        return data
    raise misfit(response, purpose, control, "JSON")


def misfit(response: httpx.Response, purpose: Purpose, control: str, wanted: str) -> TailnetError:
    """What to raise for an answer that is of another kind than was `wanted`."""
    kind = response.headers.get("Content-Type", "").split(";")[0] or "something"
    message = f"asked to {purpose.doing}, {control} answered with {kind}, not with {wanted}"
    hint = f"a proxy, or a network that wants a login? asked: {asked(response)}"
    return TailnetError(message, hint)


def listed(data: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects of a list in an answer; absent and null are an empty one."""
    items = data.get(key) or []
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What an error came from, down to the first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
