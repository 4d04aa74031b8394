"""The REST API, in the shapes of Qdrant's OpenAPI document: what is not about points or snapshots."""

from __future__ import annotations

from standin_http import Request, Response, Router, json_response, text_response

from qdrant_standin import requests, views
from qdrant_standin.cluster_api import ClusterApi
from qdrant_standin.envelope import enveloped
from qdrant_standin.metadata import resolved
from qdrant_standin.node import Node
from qdrant_standin.point_api import PointApi
from qdrant_standin.snapshot_api import SnapshotApi


def rest_router(node: Node) -> Router:
    """All routes but `/metrics`; keys are checked elsewhere."""
    api = _Api(node)
    router = Router()
    router.add("GET", "/", api.index)
    router.add("GET", "/healthz", api.healthz)
    router.add("GET", "/livez", api.healthz)
    router.add("GET", "/readyz", api.readyz)
    for method, pattern, answer in (
        ("GET", "/telemetry", api.telemetry),
        ("GET", "/collections", api.collections),
        ("GET", "/collections/{name}", api.collection),
        ("PUT", "/collections/{name}", api.create_collection),
        ("PATCH", "/collections/{name}", api.update_collection),
        ("DELETE", "/collections/{name}", api.delete_collection),
        ("GET", "/collections/{name}/exists", api.collection_exists),
        ("GET", "/aliases", api.aliases),
        ("GET", "/collections/{name}/aliases", api.aliases),
        ("POST", "/collections/aliases", api.change_aliases),
    ):
        router.add(method, pattern, enveloped(answer, node.faults))
    ClusterApi(node).add_to(router)
    PointApi(node).add_to(router)
    SnapshotApi(node).add_to(router)
    return router


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

    def telemetry(self, request: Request) -> object:
        """Which snapshots are being made (Qdrant's telemetry_ops/collections_telemetry.rs), and no more."""
        told: dict[str, object] = {
            "number_of_collections": len(self._node.metadata.document["collections"])
        }
        if int(request.query.get("details_level", "0")) > 1:
            making = self._node.snapshots.creating
            told["snapshots"] = [{"id": k, "running_snapshots": n} for k, n in making.items()]
        return {"id": str(self._node.metadata.peer_id), "collections": told}

    def collections(self, _request: Request) -> object:
        names = sorted(self._node.metadata.document["collections"])
        return {"collections": [{"name": name} for name in names]}

    def collection(self, request: Request) -> object:
        name = request.parameters["name"]
        return views.collection(self._node.points.collection(name), self._node.points.count(name))

    def collection_exists(self, request: Request) -> object:
        return {"exists": request.parameters["name"] in self._node.metadata.document["collections"]}

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

    def update_collection(self, request: Request) -> object:
        parameters = requests.changed_parameters(request.json())
        metadata = self._node.metadata
        metadata.propose(
            {
                "kind": "update_collection",
                "peer": metadata.peer_id,
                "name": request.parameters["name"],
                "parameters": parameters,
            }
        )
        return True

    def delete_collection(self, request: Request) -> object:
        name, metadata = request.parameters["name"], self._node.metadata
        existed = name in metadata.document["collections"]
        metadata.propose({"kind": "delete_collection", "peer": metadata.peer_id, "name": name})
        return existed

    def aliases(self, request: Request) -> object:
        """All aliases, or those of the collection in the path."""
        document = self._node.metadata.document
        name = request.parameters.get("name")
        collection = resolved(document, name) if name else None
        return {
            "aliases": [
                {"alias_name": alias, "collection_name": target}
                for alias, target in sorted(document["aliases"].items())
                if collection in (None, target)
            ]
        }

    def change_aliases(self, request: Request) -> object:
        metadata = self._node.metadata
        metadata.propose(
            {
                "kind": "change_aliases",
                "peer": metadata.peer_id,
                "actions": requests.field(request.json(), "actions", list),
            }
        )
        return True
