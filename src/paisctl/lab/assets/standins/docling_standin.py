"""A stand-in for docling-serve: its health endpoints, key and conversion reply, without a converter.

A source given as a file comes back as text in the format asked for; nothing is fetched from URLs.
Shapes and names from docling-serve, docs/configuration.md and docling_serve/app.py.
"""

from __future__ import annotations

import base64
import hmac
import logging
import os
import threading
import time
from typing import Any

from prometheus_text import CONTENT_TYPE, metric_family
from standin_http import (
    HttpError,
    Request,
    Response,
    Router,
    Server,
    json_response,
    log_as,
    product_name,
    reported_version,
    serve_forever,
    stop_on_signals,
)

log = logging.getLogger("stand-in")

DEFAULT_VERSION = "1.31.0"
FORMATS = {"md": "md_content", "text": "text_content", "html": "html_content"}


class _Api:
    def __init__(self, version: str, api_key: str) -> None:
        self._version = version
        self._api_key = api_key
        self._lock = threading.Lock()
        self._conversions = 0

    def health(self, _request: Request) -> Response:
        return json_response({"status": "ok"})

    def version(self, _request: Request) -> Response:
        return json_response({"docling-serve": self._version})

    def metrics(self, _request: Request) -> Response:
        text = metric_family(
            "stand_in_conversions_total",
            "counter",
            "Documents returned as they came.",
            [({}, self._conversions)],
        )
        return Response(text.encode(), content_type=CONTENT_TYPE)

    def convert(self, request: Request) -> Response:
        self._check_key(request)
        started = time.perf_counter()
        body = request.json()
        sources = body.get("sources") or []
        if len(sources) != 1 or sources[0].get("kind") != "file":
            raise HttpError(422, {"detail": "the stand-in converts one source of kind `file`"})
        with self._lock:
            self._conversions += 1
        document = _document(sources[0], (body.get("options") or {}).get("to_formats") or ["md"])
        return json_response(
            {
                "document": document,
                "status": "success",
                "errors": [],
                "processing_time": time.perf_counter() - started,
                "timings": {},
            }
        )

    def _check_key(self, request: Request) -> None:
        given = request.headers.get("x-api-key", "").strip()
        if self._api_key and not hmac.compare_digest(given.encode(), self._api_key.encode()):
            raise HttpError(401, {"detail": "Unauthorized"})


def _document(source: dict[str, Any], formats: list[str]) -> dict[str, Any]:
    try:
        text = base64.b64decode(source["base64_string"], validate=True).decode(errors="replace")
    except (KeyError, ValueError) as error:
        raise HttpError(422, {"detail": f"not a base64 file source: {error}"}) from error
    content = {field: text if name in formats else None for name, field in FORMATS.items()}
    return {
        "filename": source.get("filename", "file"),
        "json_content": None,
        "doctags_content": None,
        **content,
    }


def main() -> None:
    """Run until stopped."""
    log_as("docling-serve")
    servers = stop_on_signals()
    version = reported_version(DEFAULT_VERSION)
    api = _Api(version, os.environ.get("DOCLING_SERVE_API_KEY", ""))
    router = Router()
    for path in ("/health", "/ready", "/readyz", "/livez"):
        router.add("GET", path, api.health)
    router.add("GET", "/version", api.version)
    router.add("GET", "/metrics", api.metrics)
    router.add("POST", "/v1/convert/source", api.convert)
    host = os.environ.get("UVICORN_HOST", "0.0.0.0")  # noqa: S104 - upstream's default
    port = int(os.environ.get("UVICORN_PORT", "5001"))
    servers.append(Server(router, host, port, product_name("docling-serve", version)))
    log.info("listening on %s:%s", host, port)
    serve_forever()


if __name__ == "__main__":
    main()
