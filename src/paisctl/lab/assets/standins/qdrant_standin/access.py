"""Who may ask what: the API keys of Qdrant's src/common/auth/mod.rs, without its JSON Web Tokens."""

from __future__ import annotations

import hmac

from standin_http import Handler, HttpError, Request, Response

KEY_FREE = {"/", "/healthz", "/readyz", "/livez"}
READING_POSTS = ("/points", "/points/count", "/points/scroll")


def requiring_keys(handler: Handler, api_key: str | None, read_only_key: str | None) -> Handler:
    """`handler` behind the configured keys; unchanged if there are none."""
    if api_key is None and read_only_key is None:
        return handler

    def guarded(request: Request) -> Response:
        if request.path not in KEY_FREE:
            _check(request, api_key, read_only_key)
        return handler(request)

    return guarded


def _check(request: Request, api_key: str | None, read_only_key: str | None) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key = request.headers.get("api-key", token if scheme == "Bearer" else None)
    if key is None:
        raise HttpError(401, "Must provide an API key or an Authorization bearer token")
    if _equal(key, api_key):
        return
    if not _equal(key, read_only_key):
        raise HttpError(401, "Invalid API key or JWT")
    reads = request.method == "POST" and request.path.endswith(READING_POSTS)
    if request.method != "GET" and not reads:
        error = "Forbidden: Global manage access is required"
        raise HttpError(403, {"status": {"error": error}, "time": 0.0})


def _equal(key: str, expected: str | None) -> bool:
    return expected is not None and hmac.compare_digest(key.encode(), expected.encode())
