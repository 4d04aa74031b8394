"""The REST API of points."""

from __future__ import annotations

from standin_http import Request, Router

from qdrant_standin import requests, views
from qdrant_standin.envelope import enveloped
from qdrant_standin.metadata import RefusedError
from qdrant_standin.node import Node

SCROLL_LIMIT = 10


class PointApi:
    """Answers what begins with `/collections/{name}/points`."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def add_to(self, router: Router) -> None:
        for method, path, answer in (
            ("PUT", "", self.upsert),
            ("POST", "", self.retrieve),
            ("POST", "/count", self.count),
            ("POST", "/scroll", self.scroll),
            ("POST", "/delete", self.delete),
            ("GET", "/{id}", self.point),
        ):
            pattern = f"/collections/{{name}}/points{path}"
            router.add(method, pattern, enveloped(answer, self._node.faults))

    def upsert(self, request: Request) -> object:
        name = request.parameters["name"]
        body = request.json()
        points = requests.points_to_store(body, self._node.points.collection(name))
        self._node.points.upsert(name, points)
        return self._written(request)

    def delete(self, request: Request) -> object:
        ids = requests.field(requests.without_filter(request.json()), "points", list)
        self._node.points.delete(request.parameters["name"], [requests.point_id(i) for i in ids])
        return self._written(request)

    def retrieve(self, request: Request) -> object:
        body = request.json()
        ids = [requests.point_id(i) for i in requests.field(body, "ids", list)]
        found = self._node.points.retrieve(request.parameters["name"], ids)
        return [views.record(point, body) for point in found]

    def point(self, request: Request) -> object:
        text = request.parameters["id"]
        point_id = requests.point_id(int(text) if text.isdigit() else text)
        found = self._node.points.retrieve(request.parameters["name"], [point_id])
        if not found:
            raise RefusedError(404, f"Not found: Point with id {point_id} does not exists!")
        return views.record(found[0], {"with_vector": True})

    def count(self, request: Request) -> object:
        requests.without_filter(request.json())
        return {"count": self._node.points.count(request.parameters["name"])}

    def scroll(self, request: Request) -> object:
        body = requests.without_filter(request.json())
        limit = requests.positive(body, "limit", SCROLL_LIMIT)
        offset = None if body.get("offset") is None else requests.point_id(body["offset"])
        found = self._node.points.scroll(request.parameters["name"], offset, limit + 1)
        return {
            "points": [views.record(point, body) for point in found[:limit]],
            "next_page_offset": found[limit]["id"] if len(found) > limit else None,
        }

    def _written(self, request: Request) -> object:
        waited = request.query.get("wait") == "true"
        status = "completed" if waited else "acknowledged"
        return {"operation_id": self._node.metadata.commit, "status": status}
