"""A stand-in for text-embeddings-inference: its routes and arguments, without a model.

Scores count the words that a text shares with the query; embeddings are those of `embedding`.
Shapes and names from text-embeddings-inference, router/src/main.rs and router/src/http/server.rs.
"""

from __future__ import annotations

import argparse
import ipaddress
import logging
import os
import re
import threading
from collections import Counter
from typing import Any

from embedding import embedding, texts
from prometheus_text import CONTENT_TYPE, metric_family
from standin_http import (
    Handler,
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

DEFAULT_VERSION = "1.9.0"
DEFAULT_MODEL = "BAAI/bge-large-en-v1.5"
DIMENSIONS = 1024
MAX_CLIENT_BATCH_SIZE = 32


def reranks(model_id: str) -> bool:
    """Whether a model is a re-ranker, for which its name has to do here."""
    return "rerank" in model_id.lower()


def score(query: str, text: str) -> float:
    """From 0 to 1: the part of the query's words that `text` contains."""
    wanted, found = (set(re.findall(r"\w+", part.lower())) for part in (query, text))
    return len(wanted & found) / len(wanted) if wanted else 0.0


class _Api:
    def __init__(self, model_id: str, version: str) -> None:
        self._model_id = model_id
        self._version = version
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()

    def health(self, _request: Request) -> Response:
        return Response()

    def info(self, _request: Request) -> Response:
        kind: dict[str, Any] = {"embedding": {"pooling": "cls"}}
        if reranks(self._model_id):
            kind = {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}}
        return json_response(
            {
                "model_id": self._model_id,
                "model_sha": None,
                "model_dtype": "float32",
                "model_type": kind,
                "max_concurrent_requests": 512,
                "max_input_length": 512,
                "max_batch_tokens": 16384,
                "max_client_batch_size": MAX_CLIENT_BATCH_SIZE,
                "version": self._version,
            }
        )

    def rerank(self, request: Request) -> Response:
        body = request.json()
        if not reranks(self._model_id):
            raise _error(424, "model is not a re-ranker model", "backend")
        batch = _batch(body.get("texts"), "texts")
        with self._lock:
            self._requests["batch"] += 1
        ranks = [
            {"index": index, "score": score(str(body.get("query", "")), text)}
            | ({"text": text} if body.get("return_text") else {})
            for index, text in enumerate(batch)
        ]
        return json_response(sorted(ranks, key=lambda rank: -float(str(rank["score"]))))

    def embed(self, request: Request) -> Response:
        if reranks(self._model_id):
            raise _error(424, "model is not an embedding model", "backend")
        batch = _batch(request.json().get("inputs"), "inputs")
        with self._lock:
            self._requests["batch" if len(batch) > 1 else "single"] += 1
        return json_response([embedding(text, DIMENSIONS) for text in batch])

    def metrics(self, _request: Request) -> Response:
        with self._lock:
            counts = [({"method": method}, count) for method, count in self._requests.items()]
        text = metric_family("te_request_count", "counter", "Requests.", counts)
        queue = metric_family("te_queue_size", "gauge", "Requests that wait.", [({}, 0)])
        return Response((text + queue).encode(), content_type=CONTENT_TYPE)


def _batch(value: object, field: str) -> list[str]:
    batch = texts(value) if value else []
    if not batch:
        raise _error(400, f"`{field}` cannot be empty", "empty")
    if len(batch) > MAX_CLIENT_BATCH_SIZE:
        raise _error(
            422,
            f"batch size {len(batch)} > maximum allowed batch size {MAX_CLIENT_BATCH_SIZE}",
            "validation",
        )
    return batch


def _error(status: int, message: str, kind: str) -> HttpError:
    return HttpError(status, {"error": message, "error_type": kind})


def application(model_id: str, version: str, api_key: str | None) -> Handler:
    """All routes; those that use the model ask for the key, if there is one."""
    api = _Api(model_id, version)
    router = Router()
    for path in ("/", "/health", "/ping"):
        router.add("GET", path, api.health)
    router.add("GET", "/metrics", api.metrics)
    router.add("GET", "/info", _with_key(api.info, api_key))
    router.add("POST", "/rerank", _with_key(api.rerank, api_key))
    router.add("POST", "/embed", _with_key(api.embed, api_key))
    return router


def _with_key(handler: Handler, api_key: str | None) -> Handler:
    def guarded(request: Request) -> Response:
        if api_key and request.headers.get("authorization") != f"Bearer {api_key}":
            raise HttpError(401, "")
        return handler(request)

    return guarded


def listening_address(hostname: str) -> str:
    """An IP address as it is; all addresses for a name, such as a container's, as upstream does."""
    try:
        return str(ipaddress.ip_address(hostname))
    except ValueError:
        return "0.0.0.0"  # noqa: S104


def main() -> None:
    """Run until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-id", default=os.environ.get("MODEL_ID", DEFAULT_MODEL))
    # The image sets PORT=80; the bare program's own default is 3000.
    parser.add_argument("--port", "-p", type=int, default=int(os.environ.get("PORT", "80")))
    parser.add_argument("--hostname", default=os.environ.get("HOSTNAME", ""))
    parser.add_argument("--api-key", default=os.environ.get("API_KEY"))
    arguments, ignored = parser.parse_known_args()
    log_as("text-embeddings-inference")
    servers = stop_on_signals()
    if ignored:
        log.info("arguments without meaning here: %s", " ".join(ignored))
    version = reported_version(DEFAULT_VERSION)
    servers.append(
        Server(
            application(arguments.model_id, version, arguments.api_key),
            listening_address(arguments.hostname),
            arguments.port,
            product_name("text-embeddings-inference", version),
        )
    )
    log.info("Ready, model %s, port %s", arguments.model_id, arguments.port)
    serve_forever()


if __name__ == "__main__":
    main()
