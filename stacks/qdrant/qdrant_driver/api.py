"""One node's REST API: asks, unwraps the answer, and says in words what went wrong."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from paisctl.errors import PaisctlError

TIMEOUT = 60.0  # seconds; Qdrant itself waits 10 s for consensus
SNAPSHOT_TIMEOUT = 1800.0  # seconds; making or taking one copies the whole collection
_CONNECT_TIMEOUT = 10.0
# It compresses whatever a client takes compressed, files too (qdrant src/actix/mod.rs, Compress).
_AS_IT_IS = {"accept-encoding": "identity"}
_LONGEST = 300  # characters of a text that is no JSON


class QdrantError(PaisctlError):
    """A node refuses, or answers with something that cannot be understood.

    `status` is the HTTP status; 0 where there was none.
    """

    def __init__(self, message: str, hint: str | None = None, status: int = 0) -> None:
        super().__init__(message, hint)
        self.status = status


class Unreachable(QdrantError):
    """No answer came: nothing listens, the connection broke, or it took too long."""


class Api:
    """The API of one node. Every method raises QdrantError and Unreachable.

    Args:
        client: its base URL is the node's REST port; closed by whoever made it.
        api_key: goes with every request, and into no message.
        device: for messages.
    """

    def __init__(self, client: httpx.Client, api_key: str, device: str) -> None:
        self.device = device
        self._client = client
        self._headers = {"api-key": api_key} if api_key else {}

    # ---- the `result` of an answer, without its envelope --------------------------------------

    def get(self, path: str, **params: Any) -> Any:
        """The `result` of a GET."""
        return self._result("GET", path, params=params)

    def post(
        self,
        path: str,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        timeout: float = TIMEOUT,
    ) -> Any:
        """The `result` of a POST; `timeout` in seconds."""
        return self._result("POST", path, json=json, params=params, timeout=timeout)

    def patch(self, path: str, json: Any, timeout: float = TIMEOUT) -> Any:
        """The `result` of a PATCH."""
        return self._result("PATCH", path, json=json, timeout=timeout)

    def put(
        self,
        path: str,
        json: Any,
        params: Mapping[str, Any] | None = None,
        timeout: float = TIMEOUT,
    ) -> Any:
        """The `result` of a PUT."""
        return self._result("PUT", path, json=json, params=params, timeout=timeout)

    def delete(self, path: str, timeout: float = TIMEOUT, **params: Any) -> Any:
        """The `result` of a DELETE."""
        return self._result("DELETE", path, params=params, timeout=timeout)

    # ---- what has no envelope -----------------------------------------------------------------

    def version(self) -> str:
        """The version of the process: `1.19.0` (openapi.json, VersionInfo)."""
        answer = self._object("GET /", self._send("GET", "/"))
        if not isinstance(version := answer.get("version"), str):
            raise QdrantError(f"{self.device}: GET / has no `version`: it is no Qdrant")
        return version

    def not_ready(self) -> str:
        """Why `/readyz` does not say 200, in Qdrant's words; empty when it does."""
        answer = self._answer("GET", "/readyz")
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return answer.text.strip() or "not ready"
        self._checked("GET /readyz", answer)
        return ""

    @contextmanager
    def stream(self, path: str, timeout: float = SNAPSHOT_TIMEOUT) -> Iterator[httpx.Response]:
        """A download; iterate over its `iter_raw()` inside the context."""
        asked = f"GET {path}"
        try:
            with self._client.stream(
                "GET", path, headers=self._headers | _AS_IT_IS, timeout=_limit(timeout)
            ) as answer:
                if answer.is_error:
                    answer.read()
                yield self._checked(asked, answer)
        except httpx.HTTPError as error:
            raise self._unreachable(asked, error) from error

    def upload(
        self,
        path: str,
        name: str,
        chunks: Iterable[bytes],
        size: int,
        timeout: float = SNAPSHOT_TIMEOUT,
        **params: Any,
    ) -> Any:
        """POST a snapshot as multipart field `snapshot`, without holding it in memory.

        Args:
            path: ends with `/snapshots/upload`.
            name: what the file is called.
            chunks: its content.
            size: of the content, in bytes.
            timeout: how long the answer may take once all is sent, in seconds.
            params: for the query, as `priority="snapshot"`.
        """
        boundary = uuid.uuid4().hex
        head = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="snapshot"; filename="{quote(name)}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        answer = self._send(
            "POST",
            path,
            params=params,
            timeout=timeout,
            content=_joined(head, chunks, tail),
            headers={
                "content-type": f"multipart/form-data; boundary={boundary}",
                "content-length": str(len(head) + size + len(tail)),
            },
        )
        return self._object(f"POST {path}", answer).get("result")

    # ---- how --------------------------------------------------------------------------------

    def _result(self, method: str, path: str, **options: Any) -> Any:
        answer = self._object(f"{method} {path}", self._send(method, path, **options))
        return answer.get("result")

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._checked(f"{method} {path}", self._answer(method, path, **options))

    def _answer(
        self,
        method: str,
        path: str,
        *,
        timeout: float = TIMEOUT,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        **content: Any,
    ) -> httpx.Response:
        headers = {**self._headers, **(headers or {})}
        params = {name: _in_query(value) for name, value in (params or {}).items()}
        limit = _limit(timeout)
        try:
            try:
                return self._client.request(
                    method, path, headers=headers, params=params, timeout=limit, **content
                )
            except (httpx.RemoteProtocolError, httpx.ReadError):
                # A kept connection may end just when it is used again. Asking twice harms nobody.
                if method != "GET":
                    raise
                return self._client.request(
                    method, path, headers=headers, params=params, timeout=limit
                )
        except httpx.HTTPError as error:
            raise self._unreachable(f"{method} {path}", error) from error

    def _unreachable(self, asked: str, error: httpx.HTTPError) -> Unreachable:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            said = f"nothing answers at {self._client.base_url}"
        elif isinstance(error, httpx.TimeoutException):
            said = f"{asked}: no answer in time"
        else:
            said = f"{asked}: {error}"
        return Unreachable(f"{self.device}: {said}", f"see how it is: paisctl status {self.device}")

    def _checked(self, asked: str, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            return answer
        hint = None
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            hint = f"the node started with another key than the inventory has: paisctl plan {self.device}"
        said = f"{self.device}: {asked}: {_words(answer)}"
        raise QdrantError(said, hint, answer.status_code)

    def _object(self, asked: str, answer: httpx.Response) -> dict[str, Any]:
        try:
            content = answer.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise QdrantError(f"{self.device}: {asked}: the answer is no JSON object")
        return content


def path_of(collection: str, *rest: object) -> str:
    """The path of a collection or something below it; names may have any character but `/`."""
    parts = (quote(str(part), safe="") for part in (collection, *rest))
    return "/collections/" + "/".join(parts)


def _limit(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=_CONNECT_TIMEOUT)


def _in_query(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _words(answer: httpx.Response) -> str:
    """What Qdrant says about a failure: `status.error` of its envelope, or the text itself."""
    try:
        status = answer.json()["status"]
        return str(status["error"] if isinstance(status, dict) else status)
    except (KeyError, TypeError, ValueError):
        text = " ".join(answer.text.split())[:_LONGEST]
        return f"HTTP {answer.status_code} {text}".strip()


def _joined(head: bytes, chunks: Iterable[bytes], tail: bytes) -> Iterator[bytes]:
    yield head
    yield from chunks
    yield tail
