"""A host's Docker engine, asked through one process there: `docker system dial-stdio`.

That command joins its stdin and stdout to the engine's socket (docker/cli
cli/command/system/dial_stdio.go), so that any number of questions costs one start of `docker`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import BadStatusLine, HTTPException, HTTPResponse
from typing import IO, Any, cast
from urllib.parse import quote

from paisctl.errors import UnexpectedAnswer
from paisctl.transports import Channel

_NOT_FOUND = 404
_LABELS = quote(json.dumps({"label": ["com.docker.compose.project"]}))
_COMPOSE_CONTAINERS = f"/containers/json?all=1&filters={_LABELS}"


@dataclass(frozen=True, slots=True)
class EngineState:
    """What an engine has.

    `containers` are those of Compose projects, in the API's words (`ContainerInspect`); `images` those
    that were asked for and those that the containers were made from (`ImageInspect`), by id.
    """

    containers: Sequence[Mapping[str, Any]] = ()
    images: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class NoEngine(Exception):
    """The host says on a line why nothing leads to its engine."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.line = line


class Engine:
    """Reads from the Engine API.

    Args:
        channel: what is written to it goes to the engine, whose answers are what it prints.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._socket = cast("Any", _Answers(channel.stdout))

    def read(self, references: Collection[str]) -> EngineState:
        """What is there, in two round trips. Raises as `ask` does.

        Args:
            references: the images to look up.
        """
        listed, *found = self.ask([_COMPOSE_CONTAINERS, *map(_image, references)])
        images = {image["Id"]: image for image in found if image}
        made_from = sorted({each["ImageID"] for each in listed} - images.keys())
        ids = [each["Id"] for each in listed]
        answers = self.ask([*map(_container, ids), *map(_image, made_from)])
        images |= {image["Id"]: image for image in answers[len(ids) :] if image}
        return EngineState([each for each in answers[: len(ids)] if each], images)

    def ask(self, paths: Sequence[str]) -> list[Any]:
        """What the engine answers to GET requests, in their order; None for what does not exist.

        All are sent before the first is answered: what they take is one round trip.

        Raises:
            NoEngine: there is no engine at the other end.
            UnexpectedAnswer: an answer is none, or broke off.
            ConnectionLost: the connection to the host did.
        """
        requests = "".join(f"GET {path} HTTP/1.1\r\nHost: docker\r\n\r\n" for path in paths)
        self._channel.write(requests.encode())
        return [self._answer(path) for path in paths]

    def _answer(self, path: str) -> Any:
        response = HTTPResponse(self._socket, method="GET")
        try:
            response.begin()
            body = response.read()
        except BadStatusLine as error:
            raise NoEngine(
                str(error.args[0]).encode("latin-1").decode("utf-8", "replace")
            ) from None
        except HTTPException as error:
            raise UnexpectedAnswer(f"its Docker engine's answer broke off ({error!r})") from error
        if response.status == _NOT_FOUND:
            return None
        answer = json.loads(body)
        if not response.status < 300:  # what HTTP calls a success
            said = answer.get("message", "") if isinstance(answer, dict) else ""
            raise UnexpectedAnswer(f"its Docker engine refuses {path}: {response.status} {said}")
        return answer


class _Answers:
    """What the engine says, in the shape in which http.client wants a socket."""

    def __init__(self, stdout: IO[bytes]) -> None:
        self.readline = stdout.readline
        self.read = stdout.read

    def makefile(self, _mode: str) -> _Answers:
        return self

    def flush(self) -> None:
        """Nothing is written here."""

    def close(self) -> None:
        """There are further answers behind one that has ended."""


def _container(name: str) -> str:
    return f"/containers/{name}/json"


def _image(reference: str) -> str:
    return f"/images/{quote(reference, safe='/:@')}/json"
