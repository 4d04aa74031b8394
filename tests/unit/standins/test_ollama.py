from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from .processes import CLIENT, Program, eventually, free_port

MODEL = "nomic-embed-text"


class Ollama:
    """A server and the means to run its command line."""

    def __init__(self, directory: Path, programs: list[Program]) -> None:
        self.port = free_port()
        self.directory = directory
        self._programs = programs
        self.server = self.program("serve")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def program(self, *arguments: str) -> Program:
        environment = {"OLLAMA_HOST": f"127.0.0.1:{self.port}"}
        made = Program("ollama_standin.py", self.directory, environment, arguments)
        self._programs.append(made)
        return made

    def start(self) -> None:
        self.server.start()
        eventually(lambda: CLIENT.get(self.url).text == "Ollama is running")

    def run(self, *arguments: str) -> tuple[int, str]:
        """A command's exit status and output."""
        self.directory.joinpath("log").write_text("")
        program = self.program(*arguments)
        program.start()
        return program.exit_status(), program.log()


@pytest.fixture
def ollama(tmp_path: Path, programs: list[Program]) -> Ollama:
    return Ollama(tmp_path, programs)


def test_a_pulled_model_is_listed_and_kept(ollama: Ollama) -> None:
    ollama.start()
    assert ollama.run("list")[0] == 0
    status, output = ollama.run("pull", MODEL)
    assert status == 0
    assert output.splitlines()[-1] == "success"
    ollama.server.stop()
    ollama.start()
    status, output = ollama.run("list")
    assert status == 0
    assert "nomic-embed-text:latest" in output
    assert ollama.run("show", MODEL)[0] == 0
    assert ollama.run("show", "other") == (1, "Error: model 'other' not found\n")


def test_the_command_line_fails_without_a_server(ollama: Ollama) -> None:
    status, output = ollama.run("list")
    assert status == 1
    assert "could not connect to ollama server" in output


def test_a_pull_streams_json_lines_unless_told_otherwise(ollama: Ollama) -> None:
    ollama.start()
    streamed = CLIENT.post(f"{ollama.url}/api/pull", json={"model": MODEL})
    steps = [json.loads(line)["status"] for line in streamed.text.splitlines()]
    assert steps[0] == "pulling manifest"
    assert steps[-1] == "success"
    whole = CLIENT.post(f"{ollama.url}/api/pull", json={"name": MODEL, "stream": False})
    assert whole.json() == {"status": "success"}
    tags = CLIENT.get(f"{ollama.url}/api/tags").json()["models"]
    assert [(m["name"], len(m["digest"])) for m in tags] == [("nomic-embed-text:latest", 64)]


def test_embeddings_repeat_have_length_one_and_the_dimensions_of_the_model(ollama: Ollama) -> None:
    ollama.start()

    def ask(path: str, **body: object) -> object:
        response = CLIENT.post(f"{ollama.url}{path}", json={"model": MODEL, **body})
        assert response.status_code == 200, response.text
        return response.json()

    assert CLIENT.post(f"{ollama.url}/api/embed", json={"model": MODEL}).status_code == 404
    ask("/api/pull", stream=False)
    vectors = ask("/api/embed", input=["a", "b", "a"])["embeddings"]  # type: ignore[index]
    assert [len(vector) for vector in vectors] == [768] * 3
    assert vectors[0] == vectors[2] != vectors[1]
    assert math.isclose(math.hypot(*vectors[0]), 1)
    assert ask("/api/embeddings", prompt="a") == {"embedding": vectors[0]}
    reply = ask("/v1/embeddings", input="b")
    assert reply["data"][0]["embedding"] == vectors[1]  # type: ignore[index]
    loaded = CLIENT.get(f"{ollama.url}/api/ps").json()["models"]
    assert [model["name"] for model in loaded] == ["nomic-embed-text:latest"]


@pytest.mark.parametrize("host", ["", "127.0.0.1", "http://127.0.0.1:11434"])
def test_the_port_is_11434_by_default(host: str, ollama: Ollama) -> None:
    # Only the client is asked: the port may be taken on this machine, and then it answers.
    program = ollama.program("show", "a-model-that-nobody-has")
    program.environment = {"OLLAMA_HOST": host}
    program.start()
    assert program.exit_status() == 1
    assert "Traceback" not in program.log()


def test_it_says_what_it_is(ollama: Ollama) -> None:
    ollama.server.environment["PAISCTL_STANDIN_VERSION"] = "0.32.15-rocm"
    ollama.start()
    response = CLIENT.get(f"{ollama.url}/api/version")
    assert response.json() == {"version": "0.32.15"}
    assert "stand-in" in response.headers["server"]
    assert CLIENT.head(ollama.url).status_code == 200
    assert ollama.server.stop() == 0
    assert "[ollama stand-in]" in ollama.server.log()


def read_only_home(directory: Path) -> Callable[[], None]:
    directory.joinpath(".ollama").write_text("not a directory")
    return directory.joinpath(".ollama").unlink


def test_it_does_not_start_where_it_cannot_keep_models(ollama: Ollama) -> None:
    read_only_home(ollama.directory)
    ollama.server.start()
    assert ollama.server.exit_status() == 1
