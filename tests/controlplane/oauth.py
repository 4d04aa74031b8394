"""`POST /api/v2/oauth/token`: client credentials for a token of an hour (RFC 6749, section 4.4)."""

from __future__ import annotations

import base64
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from tests.controlplane.credentials import Credential
from tests.controlplane.faults import Answer
from tests.controlplane.serving import Request, answer

if TYPE_CHECKING:
    from tests.controlplane.server import TailscaleServer

SECONDS = 3600
_numbers = count(1)


def grant_token(server: TailscaleServer, request: Request, authorization: str) -> Answer:
    """Give out a token. The form has a secret, so the log keeps none of it."""
    form = {name: values[0] for name, values in parse_qs(request.body).items()}
    request.body = ""
    if form.get("grant_type", "client_credentials") != "client_credentials":
        return answer(400, {"error": "unsupported_grant_type"})
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    if authorization.startswith("Basic ") and not secret:
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        client_id, _, secret = pair.partition(":")
    client = server.oauth_clients.get(client_id)
    if client is None or client.secret != secret:
        return answer(401, {"error": "invalid_client", "message": "API token invalid"})
    scopes = tuple(form.get("scope", "").split()) or client.scopes
    if not all(Credential(client.scopes).may(scope) for scope in scopes):
        return answer(400, {"error": "invalid_scope"})
    token = f"tskey-api-kTEST{next(_numbers)}-notasecret"
    server.credentials[token] = Credential(scopes, client.tags, is_oauth=True)
    granted = {"access_token": token, "token_type": "Bearer", "expires_in": SECONDS}
    return answer(200, {**granted, "scope": " ".join(scopes)})
