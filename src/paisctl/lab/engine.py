"""The local Docker engine that a lab runs on, and its refusals as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from python_on_whales import ClientNotFoundError, DockerClient
from python_on_whales.exceptions import DockerException

from paisctl.errors import PaisctlError


def local_engine() -> DockerClient:
    """Connect to the engine that the docker command of this machine uses.

    Raises:
        PaisctlError: there is no docker command, or no engine answers it.
    """
    docker = DockerClient()
    try:
        docker.version()
    except (ClientNotFoundError, DockerException) as error:
        raise PaisctlError(
            "the lab needs a Docker engine on this machine, and none answers",
            "start Docker, or install it: https://docs.docker.com/get-started/get-docker/",
        ) from error
    return docker


@contextmanager
def docker_errors() -> Iterator[None]:
    """Turn a refusal of the engine into a `PaisctlError` with the engine's own last words."""
    try:
        yield
    except DockerException as error:
        raise PaisctlError(f"Docker refused: {last_line(error)}") from error


def last_line(error: DockerException) -> str:
    """The last line of what a failed docker command said."""
    return "".join((error.stderr or str(error)).strip().splitlines()[-1:])
