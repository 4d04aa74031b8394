"""The stand-ins of text-embeddings-inference and docling-serve."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from .processes import CLIENT, Program, eventually, free_port

RERANKER = ("--model-id", "BAAI/bge-reranker-v2-m3")


def start_tei(directory: Path, programs: list[Program], *arguments: str, **settings: str) -> str:
    """Start it and return its URL."""
    port = free_port()
    # As in a container, whose host name is no address to listen on.
    environment = {"HOSTNAME": "0a1b2c3d4e5f", **settings}
    arguments = ("--port", str(port), *arguments)
    program = Program("tei_standin.py", directory, environment, arguments)
    programs.append(program)
    program.start()
    url = f"http://127.0.0.1:{port}"
    eventually(lambda: CLIENT.get(f"{url}/health").status_code == 200)
    return url


@pytest.fixture
def docling(tmp_path: Path, programs: list[Program]) -> str:
    """The URL of a docling-serve stand-in with the key `secret`."""
    port = free_port()
    environment = {
        "UVICORN_HOST": "127.0.0.1",
        "UVICORN_PORT": str(port),
        "DOCLING_SERVE_API_KEY": "secret",
    }
    programs.append(Program("docling_standin.py", tmp_path, environment))
    programs[-1].start()
    url = f"http://127.0.0.1:{port}"
    eventually(lambda: CLIENT.get(f"{url}/ready").status_code == 200)
    return url


def test_texts_are_ranked_by_the_words_they_share(tmp_path: Path, programs: list[Program]) -> None:
    url = start_tei(tmp_path, programs, *RERANKER, PAISCTL_STANDIN_VERSION="1.9")
    texts = ["a tax form", "the garden in spring", "the garden"]
    body = {"query": "the garden in May", "texts": texts, "return_text": True}
    ranks = CLIENT.post(f"{url}/rerank", json=body).json()
    assert [rank["index"] for rank in ranks] == [1, 2, 0]
    assert ranks[0]["text"] == texts[1]
    assert [rank["score"] for rank in ranks] == [0.75, 0.5, 0.0]
    assert CLIENT.post(f"{url}/rerank", json={"query": "x", "texts": []}).status_code == 400
    assert CLIENT.post(f"{url}/embed", json={"inputs": "x"}).status_code == 424
    info = CLIENT.get(f"{url}/info").json()
    assert (info["model_id"], info["version"]) == (RERANKER[1], "1.9")
    assert "reranker" in info["model_type"]
    assert 'te_request_count{method="batch"} 1' in CLIENT.get(f"{url}/metrics").text


def test_tei_embeds_with_an_embedding_model_and_asks_for_its_key(
    tmp_path: Path, programs: list[Program]
) -> None:
    url = start_tei(tmp_path, programs, "--pooling", "cls", API_KEY="secret")
    body = {"inputs": ["a", "b"]}
    assert CLIENT.post(f"{url}/embed", json=body).status_code == 401
    response = CLIENT.post(f"{url}/embed", json=body, headers={"Authorization": "Bearer secret"})
    assert [len(vector) for vector in response.json()] == [1024, 1024]
    assert "stand-in" in response.headers["server"]


def test_docling_returns_a_file_as_text(docling: str) -> None:
    source = {
        "kind": "file",
        "filename": "a.md",
        "base64_string": base64.b64encode(b"# A").decode(),
    }
    body = {"sources": [source], "options": {"to_formats": ["md", "text"]}}
    url = f"{docling}/v1/convert/source"
    assert CLIENT.post(url, json=body).status_code == 401
    assert CLIENT.post(url, json=body, headers={"X-Api-Key": "wrong"}).status_code == 401
    reply = CLIENT.post(url, json=body, headers={"X-Api-Key": "secret"}).json()
    assert reply["status"] == "success"
    assert reply["document"]["filename"] == "a.md"
    assert reply["document"]["md_content"] == reply["document"]["text_content"] == "# A"
    assert reply["document"]["html_content"] is None
    http = {"sources": [{"kind": "http", "url": "http://127.0.0.1/"}]}
    refused = CLIENT.post(url, json=http, headers={"X-Api-Key": "secret"})
    assert refused.status_code == 422
    assert "stand_in_conversions_total 1" in CLIENT.get(f"{docling}/metrics").text


def test_docling_answers_about_itself_without_a_key(docling: str) -> None:
    assert CLIENT.get(f"{docling}/health").json() == {"status": "ok"}
    response = CLIENT.get(f"{docling}/version")
    assert response.json() == {"docling-serve": "1.31.0"}
    assert "stand-in" in response.headers["server"]
