"""One node's API: what comes out of an envelope, and what is said when it is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from qdrant_driver.api import Api, QdrantError, Unreachable, path_of

KEY = "very-secret"
Handler = Callable[[httpx.Request], httpx.Response]


@contextmanager
def api(handler: Handler) -> Iterator[Api]:
    transport = httpx.MockTransport(handler)
    with httpx.Client(base_url="http://k6:6333", transport=transport) as client:
        yield Api(client, KEY, "k6")


def test_the_result_is_unwrapped_and_the_key_is_sent() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["api-key"] == KEY
        assert request.url.query == b"wait=true&timeout=30"
        return httpx.Response(200, json={"result": {"a": 1}, "status": "ok", "time": 0.1})

    with api(answer) as node:
        assert node.post("/x", params={"wait": True, "timeout": 30}) == {"a": 1}


def test_an_error_has_qdrants_words_and_its_status() -> None:
    body = {"status": {"error": "Not found: Collection `c` doesn't exist!"}, "time": 0.0}
    with (
        api(lambda _: httpx.Response(404, json=body)) as node,
        pytest.raises(QdrantError) as caught,
    ):
        node.get("/collections/c")
    expected = "k6: GET /collections/c: Not found: Collection `c` doesn't exist!"
    assert (caught.value.message, caught.value.status) == (expected, 404)


def test_a_wrong_key_is_told_with_a_hint_and_without_the_key() -> None:
    refusal = httpx.Response(401, text="Invalid API key or JWT")
    with api(lambda _: refusal) as node, pytest.raises(QdrantError) as caught:
        node.get("/cluster")
    assert caught.value.message == "k6: GET /cluster: HTTP 401 Invalid API key or JWT"
    assert caught.value.hint is not None
    assert "paisctl plan k6" in caught.value.hint
    assert KEY not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (httpx.ConnectError("refused"), "k6: nothing answers at http://k6:6333"),
        (httpx.ReadTimeout("slow"), "k6: GET /cluster: no answer in time"),
        (httpx.ReadError("reset"), "k6: GET /cluster: reset"),
    ],
)
def test_no_answer_is_another_error(failure: httpx.HTTPError, words: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    with api(fail) as node, pytest.raises(Unreachable, match=words):
        node.get("/cluster")


@pytest.mark.parametrize(("method", "requests"), [("get", 2), ("post", 1)])
def test_only_a_question_is_asked_twice_when_the_connection_ends(
    method: str, requests: int
) -> None:
    asked = []

    def disconnect(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        message = "Server disconnected"
        raise httpx.RemoteProtocolError(message)

    with api(disconnect) as node, pytest.raises(Unreachable):
        getattr(node, method)("/cluster")
    assert len(asked) == requests


def test_an_answer_that_is_no_json_is_an_error() -> None:
    page = httpx.Response(200, text="<html>")
    with api(lambda _: page) as node, pytest.raises(QdrantError, match="no JSON object"):
        node.get("/cluster")


def test_the_version_and_readiness_have_no_envelope() -> None:
    answers = {
        "/": httpx.Response(200, json={"title": "qdrant", "version": "1.19.0"}),
        "/readyz": httpx.Response(503, text="some shards are not ready\n"),
    }
    with api(lambda request: answers[request.url.path]) as node:
        assert node.version() == "1.19.0"
        assert node.not_ready() == "some shards are not ready"
    with api(lambda _: httpx.Response(200, text="all shards are ready")) as node:
        assert node.not_ready() == ""


def test_a_download_is_streamed_and_a_refused_one_says_why() -> None:
    with api(lambda _: httpx.Response(200, content=b"abc")) as node, node.stream("/s") as answer:
        assert b"".join(answer.iter_bytes()) == b"abc"
    gone = httpx.Response(404, json={"status": {"error": "Not found: Snapshot s not found"}})
    with (
        api(lambda _: gone) as node,
        pytest.raises(QdrantError, match="Snapshot s not found"),
        node.stream("/s"),
    ):
        pass


def test_an_upload_is_one_multipart_field_of_known_length() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        body = request.read()
        assert int(request.headers["content-length"]) == len(body)
        assert b'name="snapshot"; filename="a.snapshot"' in body
        assert b"\r\n\r\nonetwo\r\n--" in body
        assert request.url.query == b"priority=snapshot&wait=true"
        return httpx.Response(200, json={"result": True, "status": "ok"})

    with api(answer) as node:
        chunks = iter([b"one", b"two"])
        assert node.upload("/u", "a.snapshot", chunks, 6, priority="snapshot", wait=True) is True


def test_names_are_quoted_in_paths() -> None:
    assert path_of("a b?", "shards", 3) == "/collections/a%20b%3F/shards/3"
