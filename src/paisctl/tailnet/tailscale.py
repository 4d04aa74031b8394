"""Tailscale's API, version 2 (https://tailscale.com/api).

What is sent and answered is as in tailscale-client-go-v2, which Tailscale's own tools are made
with. None of the lists asked for here comes in pages.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from paisctl.errors import CredentialsRefused, OutcomeUnknown, PolicyRefused, TailnetError
from paisctl.tailnet.answers import Purpose, json_of, listed, misfit
from paisctl.tailnet.connection import Connection, Sleep
from paisctl.tailnet.control import (
    Finding,
    JoinKey,
    LivePolicy,
    Match,
    PreviewKind,
    TailnetDevice,
    TailnetUser,
)
from paisctl.tailnet.credentials import Credentials
from paisctl.tailnet.hidden import Hidden
from paisctl.tailnet.listings import tailscale_device, tailscale_user, time_of
from paisctl.tailnet.readback import found_out
from paisctl.tailnet.tokens import tokens_of

URL = "https://api.tailscale.com"
_HUJSON = {"Content-Type": "application/hujson"}
_WARNINGS = "warning(s) found"

_READ = Purpose("read the policy", "policy_file:read")
_VALIDATE = Purpose("check a policy", "policy_file:read")
_PREVIEW = Purpose("preview a policy", "policy_file:read")
_SET = Purpose("set the policy", "policy_file", repeatable=False)
_DEVICES = Purpose("list the devices", "devices:core:read")
_USERS = Purpose("list the users", "users:read")
_TAG = Purpose("set the tags of a device", "devices:core")
_KEY = Purpose("make an auth key", "auth_keys", repeatable=False)


class Tailscale:
    """A tailnet of Tailscale's.

    Args:
        credentials: how to sign in.
        url: of the control plane.
        tailnet: its id; `-` is the one that the credential belongs to.
        transport: instead of the network.
        sleep: waits some seconds.
        clock: seconds that only go up.

    Raises:
        UsageError: the url is none that credentials may be sent to.
    """

    name = "Tailscale"
    gives_what_is_in_use = True

    def __init__(
        self,
        credentials: Credentials,
        url: str = URL,
        tailnet: str = "-",
        transport: httpx.BaseTransport | None = None,
        sleep: Sleep = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        origin, secrets = credentials.origin, (credentials.hidden,)
        self._connection = Connection(self.name, url, "/api/v2", origin, secrets, transport, sleep)
        self._tokens = tokens_of(credentials, self._connection, clock)
        self._tailnet, self._sleep = f"/tailnet/{quote(tailnet, safe='')}", sleep

    def close(self) -> None:
        self._connection.close()

    def policy(self) -> LivePolicy:
        headers = {"Accept": "application/hujson"}  # keeps comments; plain JSON would lose them
        response = self._send(_READ, "GET", f"{self._tailnet}/acl", headers=headers)
        etag = _etag(response)
        if not etag or "html" in response.headers.get("Content-Type", ""):
            raise misfit(response, _READ, self.name, "a policy and its ETag")
        return LivePolicy(response.text, etag)

    def validate(self, text: str) -> tuple[Finding, ...]:
        response = self._send(
            _VALIDATE,
            "POST",
            f"{self._tailnet}/acl/validate",
            expected=_is_verdict,
            content=text.encode(),
            headers=_HUJSON,
        )
        return tuple(self._findings(json_of(response, _VALIDATE, self.name)))

    def set_policy(self, text: str, etag: str) -> str:
        try:
            response = self._send(
                _SET,
                "POST",
                f"{self._tailnet}/acl",
                expected=_is_verdict,
                content=text.encode(),
                headers=_HUJSON | {"Accept": "application/hujson", "If-Match": f'"{etag}"'},
            )
        except OutcomeUnknown as unknown:
            return found_out(self, text, etag, unknown, self._sleep)
        if response.status_code == HTTPStatus.BAD_REQUEST:
            raise self._refusal(json_of(response, _SET, self.name))
        set_without_etag = OutcomeUnknown("the new policy came back without an ETag")
        return _etag(response) or found_out(self, text, etag, set_without_etag, self._sleep)

    def devices(self) -> tuple[TailnetDevice, ...]:
        path = f"{self._tailnet}/devices"
        response = self._send(_DEVICES, "GET", path, params={"fields": "all"})
        items = listed(json_of(response, _DEVICES, self.name), "devices")
        return tuple(sorted(map(tailscale_device, items), key=lambda d: (d.name, d.id)))

    def users(self) -> tuple[TailnetUser, ...]:
        response = self._send(_USERS, "GET", f"{self._tailnet}/users")
        items = listed(json_of(response, _USERS, self.name), "users")
        return tuple(sorted(map(tailscale_user, items), key=lambda u: (u.login, u.id)))

    def set_tags(self, device_id: str, tags: Sequence[str]) -> None:
        path = f"/device/{quote(device_id, safe='')}/tags"
        self._send(_TAG, "POST", path, json={"tags": list(tags)})

    def make_key(self, tags: Sequence[str], description: str, expiry: int) -> JoinKey:
        create = {"reusable": False, "ephemeral": False, "preauthorized": True, "tags": list(tags)}
        body = {
            "capabilities": {"devices": {"create": create}},
            "expirySeconds": expiry,
            # No more than 50 letters, digits, hyphens and blanks are taken (Tailscale API, keys).
            "description": re.sub(r"[^A-Za-z0-9 -]+", "-", description)[:50],
        }
        response = self._send(_KEY, "POST", f"{self._tailnet}/keys", json=body)
        data = json_of(response, _KEY, self.name)
        if not isinstance(data.get("key"), str):
            raise TailnetError("Tailscale made an auth key, but did not give it to us")
        return JoinKey(str(data.get("id", "")), Hidden(data["key"]), time_of(data.get("expires")))

    def preview(self, text: str, kind: PreviewKind, who: str) -> tuple[Match, ...]:
        response = self._send(
            _PREVIEW,
            "POST",
            f"{self._tailnet}/acl/preview",
            params={"type": kind, "previewFor": who},
            content=text.encode(),
            headers=_HUJSON,
        )
        return tuple(map(_match, listed(json_of(response, _PREVIEW, self.name), "matches")))

    def _findings(self, data: dict[str, Any]) -> Iterator[Finding]:
        """What a verdict holds against a policy: a `message` does, even in an answer 200."""
        masked = self._connection.masked
        message = masked(str(data.get("message") or ""))
        found = [
            Finding(masked(str(item.get("user") or "")), masked(str(text)), key == "warnings")
            for item in listed(data, "data")
            for key in ("errors", "warnings")
            for text in item.get(key) or ()
        ]
        yield from found
        only_warns = message == _WARNINGS
        if message and not any(finding.is_warning is only_warns for finding in found):
            yield Finding("", message, is_warning=only_warns)

    def _refusal(self, data: dict[str, Any]) -> PolicyRefused:
        problems = tuple(str(f) for f in self._findings(data) if not f.is_warning)
        message = self._connection.masked(str(data.get("message") or "no reason given"))
        return PolicyRefused(f"Tailscale does not take the policy: {message}", problems)

    def _send(self, purpose: Purpose, method: str, path: str, **content: Any) -> httpx.Response:
        """Sign and send; a token that was made a while ago may have been revoked since."""
        try:
            return self._connection.send(
                purpose, method, path, bearer=self._tokens.current(), **content
            )
        except CredentialsRefused:
            if not self._tokens.drop():
                raise
        return self._connection.send(
            purpose, method, path, bearer=self._tokens.current(), **content
        )


def _etag(response: httpx.Response) -> str:
    return str(response.headers.get("ETag", "")).removeprefix("W/").strip('"')


def _is_verdict(response: httpx.Response) -> bool:
    """Whether it says what the control plane thinks of a policy; syntax errors are a 400."""
    return response.is_success or response.status_code == HTTPStatus.BAD_REQUEST


def _match(data: dict[str, Any]) -> Match:
    line = data.get("lineNumber")
    users, ports = (tuple(map(str, data.get(key) or ())) for key in ("users", "ports"))
    return Match(users, ports, line if isinstance(line, int) else 0)
