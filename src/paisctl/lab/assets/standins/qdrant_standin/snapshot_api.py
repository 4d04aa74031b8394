"""The REST API of a collection's snapshots."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urlsplit

from standin_http import Request, Response, Router, json_response

from qdrant_standin import requests
from qdrant_standin.envelope import enveloped, waiting_if_asked
from qdrant_standin.metadata import RefusedError
from qdrant_standin.multipart import uploaded_file
from qdrant_standin.node import Node
from qdrant_standin.restore import PRIORITIES
from qdrant_standin.snapshots import chunks, digest

DEFAULT_PRIORITY = "replica"


class SnapshotApi:
    """Answers what begins with `/collections/{name}/snapshots`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._snapshots = node.snapshots

    def add_to(self, router: Router) -> None:
        root, faults = "/collections/{name}/snapshots", self._node.faults
        router.add("GET", root, enveloped(self.listed, faults))
        router.add("GET", f"{root}/{{snapshot}}", self.content)
        for method, path, answer in (
            ("POST", "", self.create),
            ("DELETE", "/{snapshot}", self.delete),
            ("POST", "/upload", self.upload),
            ("PUT", "/recover", self.recover),
        ):
            router.add(method, root + path, waiting_if_asked(answer, faults))

    def listed(self, request: Request) -> object:
        return self._snapshots.listed(request.parameters["name"])

    def create(self, request: Request) -> object:
        return self._snapshots.create(request.parameters["name"])

    def content(self, request: Request) -> Response:
        try:
            file = self._snapshots.file(request.parameters["name"], request.parameters["snapshot"])
        except RefusedError as refused:
            error = {"status": {"error": refused.description}, "time": 0.0}
            return json_response(error, refused.status)
        return Response(
            content_type="application/octet-stream",
            stream=chunks(file),
            length=file.stat().st_size,
        )

    def delete(self, request: Request) -> object:
        self._snapshots.delete(request.parameters["name"], request.parameters["snapshot"])
        return True

    def upload(self, request: Request) -> object:
        name = request.parameters["name"]
        requests.check_collection_name(name)
        priority = _priority(request.query.get("priority"))
        snapshot, content = uploaded_file(request, "snapshot")
        expected, actual = request.query.get("checksum"), hashlib.sha256(content).hexdigest()
        if expected and actual != expected.lower():
            raise RefusedError(
                HTTPStatus.BAD_REQUEST,
                f"Checksum mismatch: expected {expected}, actual {actual}",
            )
        file = self._snapshots.keep_upload(name, snapshot, content)
        self._node.restore.recover(name, file, priority)
        return True

    def recover(self, request: Request) -> object:
        body = request.json()
        location = urlsplit(requests.field(body, "location", str))
        priority = _priority(body.get("priority"))
        if location.scheme != "file":
            raise RefusedError(
                HTTPStatus.BAD_REQUEST,
                f"Bad request: URL {location.geturl()} with scheme {location.scheme} is not supported "
                "by the stand-in",
            )
        file = self._snapshots.inside(Path(unquote(location.path)))
        expected = body.get("checksum")
        if expected and (actual := digest(file)) != expected.lower():
            raise RefusedError(
                HTTPStatus.BAD_REQUEST,
                f"Wrong input: Snapshot checksum mismatch: expected {expected}, got {actual}",
            )
        self._node.restore.recover(request.parameters["name"], file, priority)
        return True


def _priority(value: str | None) -> str:
    priority = value or DEFAULT_PRIORITY
    if priority not in PRIORITIES:
        raise RefusedError(
            HTTPStatus.BAD_REQUEST,
            f"Format error in query parameters: unknown variant `{priority}`, "
            f"expected one of {', '.join(PRIORITIES)}",
        )
    return priority
