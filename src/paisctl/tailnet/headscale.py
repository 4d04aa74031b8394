"""Headscale's API, version 1 (Headscale docs, "API"; hscontrol/api/v1, before it grpcv1.go).

There are no ETags: a policy's is the SHA-256 of its text, and it is read again right before it is
replaced. What is refused is a 400 since Headscale 0.30, and mostly a 500 before.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from paisctl.errors import (
    CredentialsRefused,
    OutcomeUnknown,
    PolicyMoved,
    PolicyRefused,
    TailnetError,
)
from paisctl.tailnet.answers import Purpose, json_of, listed, message_of
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
from paisctl.tailnet.credentials import Credentials, Token
from paisctl.tailnet.hidden import Hidden
from paisctl.tailnet.listings import headscale_device, headscale_user, time_of
from paisctl.tailnet.readback import found_out

# Without a policy everything is allowed, and a policy cannot be unset again; this says the same.
_NONE = "{}\n"
_NO_POLICY = "policy not found"
_FILE_MODE = "update is disabled for modes other than"
_HALF_SET = "verifying SSH rules"  # comes after the policy is in use, though it is not kept
_REFUSALS = ("setting policy", _HALF_SET, _FILE_MODE)  # what a 500 up to 0.29 begins by

_READ = Purpose("read the policy")
_VALIDATE = Purpose("check a policy")
_SET = Purpose("set the policy", repeatable=False)
_DEVICES = Purpose("list the nodes")
_USERS = Purpose("list the users")
_TAG = Purpose("set the tags of a node")
_KEY = Purpose("make a pre-auth key", repeatable=False)


class Headscale:
    """A tailnet of one's own Headscale.

    Args:
        credentials: an API key.
        url: of the control plane.
        transport: instead of the network.
        sleep: waits some seconds.

    Raises:
        UsageError: the url is none that credentials may be sent to.
        CredentialsRefused: the credentials are an OAuth client's.
    """

    name = "Headscale"
    gives_what_is_in_use = False  # a policy whose SSH rules it refuses is in use, but not kept

    def __init__(
        self,
        credentials: Credentials,
        url: str,
        transport: httpx.BaseTransport | None = None,
        sleep: Sleep = time.sleep,
    ) -> None:
        if not isinstance(credentials, Token):
            hint = "`headscale apikeys create` makes a key, for `tailnet.api.token`"
            raise CredentialsRefused("Headscale is used with an API key, not an OAuth client", hint)
        origin, self._key = credentials.origin, credentials.hidden
        self._connection = Connection(
            self.name, url, "/api/v1", origin, (self._key,), transport, sleep
        )
        self._sleep = sleep

    def close(self) -> None:
        self._connection.close()

    def policy(self) -> LivePolicy:
        response = self._send(_READ, "GET", "/policy", expected=_is_policy)
        text = str(json_of(response, _READ, self.name).get("policy") or _NONE)
        return LivePolicy(text, _etag(text))

    def validate(self, text: str) -> tuple[Finding, ...]:
        response = self._send(
            _VALIDATE, "POST", "/policy/check", expected=_is_verdict, json={"policy": text}
        )
        if response.is_success:
            return ()
        if response.status_code == HTTPStatus.NOT_FOUND:
            too_old = "this Headscale cannot check policies before they are set; 0.29 can"
            return (Finding("", too_old, is_warning=True),)
        return (Finding("", self._connection.said(response) or "refused, without a reason"),)

    def set_policy(self, text: str, etag: str) -> str:
        before = self.policy()
        if before.etag != etag:
            raise PolicyMoved
        try:
            response = self._send(
                _SET, "PUT", "/policy", expected=_is_settled, json={"policy": text}
            )
        except OutcomeUnknown as unknown:
            return found_out(self, text, etag, unknown, self._sleep)
        if not response.is_success:
            said = self._connection.said(response)
            if said.startswith(_HALF_SET):
                self._take_out_of_use(before.text, said)
            raise _refusal(said)
        return _etag(str(json_of(response, _SET, self.name).get("policy") or text))

    def devices(self) -> tuple[TailnetDevice, ...]:
        items = listed(self._read(_DEVICES, "/node"), "nodes")
        return tuple(sorted(map(headscale_device, items), key=lambda d: (d.name, d.id)))

    def users(self) -> tuple[TailnetUser, ...]:
        items = listed(self._read(_USERS, "/user"), "users")
        return tuple(sorted(map(headscale_user, items), key=lambda u: (u.login, u.id)))

    def set_tags(self, device_id: str, tags: Sequence[str]) -> None:
        path = f"/node/{quote(device_id, safe='')}/tags"
        self._send(_TAG, "POST", path, json={"tags": list(tags)})

    def make_key(self, tags: Sequence[str], description: str, expiry: int) -> JoinKey:  # noqa: ARG002 # Headscale's keys carry no description
        until = (datetime.now(UTC) + timedelta(seconds=expiry)).isoformat(timespec="seconds")
        body = {
            "reusable": False,
            "ephemeral": False,
            "expiration": until.replace("+00:00", "Z"),
            "aclTags": list(tags),
        }
        response = self._send(_KEY, "POST", "/preauthkey", json=body)
        data = json_of(response, _KEY, self.name).get("preAuthKey")
        if not isinstance(data, dict) or not isinstance(data.get("key"), str):
            raise TailnetError("Headscale made a pre-auth key, but did not give it to us")
        key = Hidden(data["key"])
        return JoinKey(str(data.get("id", "")), key, time_of(data.get("expiration")))

    def preview(self, text: str, kind: PreviewKind, who: str) -> tuple[Match, ...]:  # noqa: ARG002 # the protocol's
        raise TailnetError("Headscale cannot preview policies", "`paisctl acl explain` does")

    def _take_out_of_use(self, before: str, said: str) -> None:
        """Set the policy from before, in place of one that is in use, but not kept."""
        try:
            self._send(_SET, "PUT", "/policy", json={"policy": before})
        except TailnetError as error:
            message = (
                f"Headscale refuses the policy ({said}), but may use it until it is started anew, "
                f"for the one before could not be set again: {error.message}"
            )
            raise OutcomeUnknown(message, error.hint) from None

    def _read(self, purpose: Purpose, path: str) -> dict[str, Any]:
        return json_of(self._send(purpose, "GET", path), purpose, self.name)

    def _send(self, purpose: Purpose, method: str, path: str, **content: Any) -> httpx.Response:
        return self._connection.send(purpose, method, path, bearer=self._key, **content)


def _etag(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _is_policy(response: httpx.Response) -> bool:
    return response.is_success or _NO_POLICY in message_of(response)


def _is_verdict(response: httpx.Response) -> bool:
    return response.is_success or response.status_code in (
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
    )


def _is_settled(response: httpx.Response) -> bool:
    """Whether an answer says for certain that the policy was set, or that it was not."""
    said = message_of(response)
    is_refusal = said.startswith(_REFUSALS) or response.status_code == HTTPStatus.BAD_REQUEST
    return response.is_success or is_refusal


def _refusal(said: str) -> PolicyRefused:
    if _FILE_MODE in said:
        return PolicyRefused(
            "Headscale reads its policy from a file, which its API cannot change",
            (said,),
            "set `policy.mode: database` in Headscale's configuration, or render the policy with "
            "`paisctl acl render` and put it into that file",
        )
    return PolicyRefused(
        f"Headscale does not take the policy: {said or 'no reason given'}", (said,)
    )
