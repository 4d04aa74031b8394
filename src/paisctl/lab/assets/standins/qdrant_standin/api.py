"""The REST API, in the shapes of Qdrant's OpenAPI document."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from standin_http import Request, Response, Router, json_response, text_response

from qdrant_standin import requests, views
from qdrant_standin.metadata import RefusedError
from qdrant_standin.node import Node

SCROLL_LIMIT = 10


def rest_router(node: Node) -> Router:
    """All routes but `/metrics`; keys are checked elsewhere."""
    api = _Api(node)
    router = Router()
    router.add("GET", "/", api.index)
    router.add("GET", "/healthz", api.healthz)
    router.add("GET", "/livez", api.healthz)
    router.add("GET", "/readyz", api.readyz)
    for method, pattern, answer in (
        ("GET", "/cluster", api.cluster),
        ("GET", "/collections", api.collections),
        ("GET", "/collections/{name}", api.collection),
        ("PUT", "/collections/{name}", api.create_collection),
        ("DELETE", "/collections/{name}", api.delete_collection),
        ("GET", "/collections/{name}/exists", api.collection_exists),
        ("GET", "/collections/{name}/cluster", api.collection_cluster),
        ("PUT", "/collections/{name}/points", api.upsert),
        ("POST", "/collections/{name}/points/count", api.count),
        ("POST", "/collections/{name}/points/scroll", api.scroll),
    ):
        router.add(method, pattern, _enveloped(answer))
    return router


def _enveloped(answer: Callable[[Request], object]) -> Callable[[Request], Response]:
    def handle(request: Request) -> Response:
        started = time.perf_counter()
        try:
            reply, status = {"result": answer(request), "status": "ok"}, 200
        except RefusedError as refused:
            reply, status = {"status": {"error": refused.description}}, refused.status
        return json_response({**reply, "time": time.perf_counter() - started}, status)

    return handle


class _Api:
    def __init__(self, node: Node) -> None:
        self._node = node

    def index(self, _request: Request) -> Response:
        title = "qdrant - vector search engine"
        return json_response({"title": title, "version": self._node.version})

    def healthz(self, _request: Request) -> Response:
        return text_response("healthz check passed")

    def readyz(self, _request: Request) -> Response:
        readiness = self._node.readiness
        if readiness is None or readiness.check():
            return text_response("all shards are ready")
        return text_response("some shards are not ready", 503)

    def cluster(self, _request: Request) -> object:
        return views.cluster(self._node.consensus)

    def collections(self, _request: Request) -> object:
        names = sorted(self._node.metadata.document["collections"])
        return {"collections": [{"name": name} for name in names]}

    def collection(self, request: Request) -> object:
        name = request.parameters["name"]
        return views.collection(self._node.points.collection(name), self._node.points.count(name))

    def collection_exists(self, request: Request) -> object:
        return {"exists": request.parameters["name"] in self._node.metadata.document["collections"]}

    def collection_cluster(self, request: Request) -> object:
        name = request.parameters["name"]
        collection = self._node.points.collection(name)
        return views.collection_cluster(
            name, collection, self._node.metadata.peer_id, self._node.shards
        )

    def create_collection(self, request: Request) -> object:
        name = request.parameters["name"]
        wanted = requests.new_collection(name, request.json(), self._node.settings)
        metadata = self._node.metadata
        metadata.propose(
            {
                "kind": "create_collection",
                "peer": metadata.peer_id,
                "name": name,
                "collection": wanted,
            }
        )
        # So that whoever made it can write to it through any node (Qdrant's dispatcher.rs).
        metadata.await_everywhere()
        return True

    def delete_collection(self, request: Request) -> object:
        name, metadata = request.parameters["name"], self._node.metadata
        existed = name in metadata.document["collections"]
        metadata.propose({"kind": "delete_collection", "peer": metadata.peer_id, "name": name})
        return existed

    def upsert(self, request: Request) -> object:
        name = request.parameters["name"]
        body = request.json()
        points = requests.points_to_store(body, self._node.points.collection(name))
        self._node.points.upsert(name, points)
        waited = request.query.get("wait") == "true"
        status = "completed" if waited else "acknowledged"
        return {"operation_id": self._node.metadata.commit, "status": status}

    def count(self, request: Request) -> object:
        requests.without_filter(request.json())
        return {"count": self._node.points.count(request.parameters["name"])}

    def scroll(self, request: Request) -> object:
        body: Any = requests.without_filter(request.json())
        limit = requests.positive(body, "limit", SCROLL_LIMIT)
        offset = None if body.get("offset") is None else requests.point_id(body["offset"])
        found = self._node.points.scroll(request.parameters["name"], offset, limit + 1)
        return {
            "points": [views.record(point, body) for point in found[:limit]],
            "next_page_offset": found[limit]["id"] if len(found) > limit else None,
        }
