"""A stand-in for Ollama: its server with models in name only, and its command line.

Any model can be pulled and none has weights; embeddings are those of `embedding`.
Shapes, routes and OLLAMA_HOST as in ollama, server/routes.go, api/types.go and envconfig/config.go.
"""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from embedding import embedding, texts
from ollama_models import Model, Models
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
    text_response,
)

log = logging.getLogger("stand-in")

DEFAULT_VERSION = "0.32.15"
DEFAULT_PORT = 11434
PULL_SECONDS = 600
UNREACHABLE = "could not connect to ollama server, run 'ollama serve' to start it"


def address() -> tuple[str, int]:
    """Where to listen or connect, from OLLAMA_HOST: `host`, `host:port` or a URL."""
    text = os.environ.get("OLLAMA_HOST", "").strip()
    url = urlsplit(text if "://" in text else f"//{text}")
    default_port = {"http": 80, "https": 443}.get(url.scheme, DEFAULT_PORT)
    # ":11434" without a host means all interfaces, nothing at all means this machine only.
    host = url.hostname or ("0.0.0.0" if url.netloc else "127.0.0.1")  # noqa: S104
    return host, url.port or default_port


class _Api:
    def __init__(self, models: Models, version: str) -> None:
        self._models = models
        self._version = version

    def index(self, _request: Request) -> Response:
        return text_response("Ollama is running")

    def version(self, _request: Request) -> Response:
        return json_response({"version": self._version})

    def tags(self, _request: Request) -> Response:
        return json_response({"models": [model.listed() for model in self._models.all()]})

    def ps(self, _request: Request) -> Response:
        return json_response({"models": self._models.loaded()})

    def show(self, request: Request) -> Response:
        return json_response(self._model(request.json()).shown())

    def pull(self, request: Request) -> Response:
        body = request.json()
        name = body.get("model") or body.get("name")
        if not name:
            raise HttpError(400, {"error": "invalid model name"})
        progress = self._pulling(str(name))
        if body.get("stream", True):
            lines = (f"{json.dumps(step)}\n".encode() for step in progress)
            return Response(content_type="application/x-ndjson", stream=lines)
        return json_response(list(progress)[-1])

    def _pulling(self, name: str) -> Iterator[dict[str, Any]]:
        log.info("pull of %s: the stand-in records its name, no weights", name)
        yield {"status": "pulling manifest"}
        model = self._models.add(name)
        layer = {"digest": f"sha256:{model.digest}", "total": 0, "completed": 0}
        yield {"status": f"pulling {model.digest[:12]}", **layer}
        yield {"status": "verifying sha256 digest"}
        yield {"status": "writing manifest"}
        yield {"status": "success"}

    def embed(self, request: Request) -> Response:
        body = request.json()
        vectors, words = self._embeddings(body, texts(body.get("input", [])))
        return json_response(
            {"model": body["model"], "embeddings": vectors, "prompt_eval_count": words}
        )

    def embeddings(self, request: Request) -> Response:
        body = request.json()
        vectors, _ = self._embeddings(body, [str(body.get("prompt", ""))])
        return json_response({"embedding": vectors[0]})

    def openai_embeddings(self, request: Request) -> Response:
        body = request.json()
        vectors, words = self._embeddings(body, texts(body.get("input", [])))
        data = [
            {"object": "embedding", "embedding": vector, "index": index}
            for index, vector in enumerate(vectors)
        ]
        usage = {"prompt_tokens": words, "total_tokens": words}
        return json_response(
            {"object": "list", "data": data, "model": body["model"], "usage": usage}
        )

    def _embeddings(self, body: Any, inputs: list[str]) -> tuple[list[list[float]], int]:
        model = self._model(body)
        self._models.load(model)
        words = sum(len(text.split()) for text in inputs)
        return [embedding(text, model.dimensions) for text in inputs], words

    def _model(self, body: Any) -> Model:
        name = str(body.get("model") or body.get("name") or "")
        model = self._models.find(name)
        if model is None:
            raise HttpError(404, {"error": f"model '{name}' not found"})
        return model


def serve() -> None:
    """Run the server until it is stopped."""
    log_as("ollama")
    servers = stop_on_signals()
    version = reported_version(DEFAULT_VERSION)
    api = _Api(Models.load_or_create(), version)
    router = Router()
    for method in ("GET", "HEAD"):
        router.add(method, "/", api.index)
        router.add(method, "/api/version", api.version)
        router.add(method, "/api/tags", api.tags)
    router.add("GET", "/api/ps", api.ps)
    router.add("POST", "/api/show", api.show)
    router.add("POST", "/api/pull", api.pull)
    router.add("POST", "/api/embed", api.embed)
    router.add("POST", "/api/embeddings", api.embeddings)
    router.add("POST", "/v1/embeddings", api.openai_embeddings)
    host, port = address()
    servers.append(Server(router, host, port, product_name("ollama", version)))
    log.info("Listening on %s:%s (version %s)", host, port, version)
    serve_forever()


def _ask(method: str, path: str, body: object = None) -> list[Any]:
    """The JSON lines of a reply; exits with a message as the real client does."""
    connection = http.client.HTTPConnection(*address(), timeout=PULL_SECONDS)
    try:
        connection.request(method, path, json.dumps(body) if body else None)
        lines = [json.loads(line) for line in connection.getresponse()]
    except OSError:
        sys.exit(f"Error: {UNREACHABLE}")
    finally:
        connection.close()
    for line in lines:
        if "error" in line:
            sys.exit(f"Error: {line['error']}")
    return lines


def list_models(prefix: str) -> None:
    """Print the models of the server whose names begin with `prefix`."""
    print(f"{'NAME':<32} {'ID':<12}    {'SIZE':<6}    MODIFIED")
    for model in _ask("GET", "/api/tags")[0]["models"]:
        if model["name"].lower().startswith(prefix.lower()):
            size, when = f"{model['size']} B", model["modified_at"]
            print(f"{model['name']:<32} {model['digest'][:12]}    {size:<6}    {when}")


def pull(name: str) -> None:
    """Have the server pull a model, and print how that goes."""
    for step in _ask("POST", "/api/pull", {"model": name}):
        print(step["status"])


def show(name: str) -> None:
    """Print what the server knows about a model."""
    for field, value in _ask("POST", "/api/show", {"model": name})[0]["details"].items():
        print(f"    {field:<20} {value}")


def main() -> None:
    """The command line: serve, list, pull MODEL, show MODEL."""
    parser = argparse.ArgumentParser(prog="ollama", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="run the server")
    listing = commands.add_parser("list", aliases=["ls"], help="list the models of the server")
    listing.add_argument("name", nargs="?", default="")
    on_model: dict[str, Callable[[str], None]] = {"pull": pull, "show": show}
    for command in on_model:
        commands.add_parser(command, help=f"{command} a model").add_argument("name")
    arguments = parser.parse_args()
    if arguments.command == "serve":
        serve()
    elif arguments.command in on_model:
        on_model[arguments.command](arguments.name)
    else:
        list_models(arguments.name)


if __name__ == "__main__":
    main()
