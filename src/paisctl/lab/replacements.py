"""Which image takes the place of each upstream image that a fleet asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import yaml

from paisctl.lab.profiles import ASSETS

NAMESPACE = "paisctl-lab"
STAND_IN = "-stand-in"


@dataclass(frozen=True, slots=True, order=True)
class ServiceImage:
    """An image of the lab with the tag that the inventory asks for.

    `target` is a stage of `services/Dockerfile`; None means the upstream image itself.
    """

    upstream: str
    target: str | None

    @property
    def repository(self) -> str:
        return f"{NAMESPACE}/{self.target}" if self.target else _split(self.upstream)[0]

    @property
    def tag(self) -> str:
        """The tag, without a digest: no image that was made here has upstream's digest."""
        return _split(self.upstream)[1]

    @property
    def reference(self) -> str:
        """What the lab's hosts know the image as."""
        return f"{self.repository}:{self.tag}" if self.target else self.upstream

    @property
    def version(self) -> str:
        """What a stand-in reports as its version: the number in the tag, else the tag."""
        number = re.search(r"\d+(\.\d+)+", self.tag)
        return number.group() if number else self.tag


def replacement(image: str) -> ServiceImage:
    """What takes the place of an image: the row of `assets/images.yaml` that names it."""
    repository = _familiar(_split(image)[0])
    if repository.startswith(f"{NAMESPACE}/"):  # the lab's own overlay is in use
        return ServiceImage(image, repository.removeprefix(f"{NAMESPACE}/"))
    return ServiceImage(image, _table().get(repository))


@cache
def _table() -> Mapping[str, str]:
    rows: Mapping[str, str] = yaml.safe_load((ASSETS / "images.yaml").read_text("utf-8"))
    return {_familiar(repository): target for repository, target in rows.items()}


def _split(image: str) -> tuple[str, str]:
    """Repository and tag of an image reference. A colon before a slash is that of a port."""
    name = image.partition("@")[0]
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")


def _familiar(repository: str) -> str:
    """A repository without what Docker adds when it is left out."""
    return repository.removeprefix("docker.io/").removeprefix("library/")
