"""Which image takes the place of each upstream image that a fleet asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import yaml

from paisctl.lab.profiles import ASSETS
from paisctl.rendering.instances import Instance

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
        name = self.upstream.partition("@")[0]
        return f"{NAMESPACE}/{self.target}" if self.target else name.rpartition(":")[0]

    @property
    def tag(self) -> str:
        """The tag, without a digest: no image that was made here has upstream's digest."""
        return self.upstream.partition("@")[0].rpartition(":")[2]

    @property
    def reference(self) -> str:
        """What the lab's hosts know the image as."""
        return f"{self.repository}:{self.tag}" if self.target else self.upstream

    @property
    def version(self) -> str:
        """What a stand-in reports as its version: the number in the tag, else the tag."""
        number = re.search(r"\d+(\.\d+)+", self.tag)
        return number.group() if number else self.tag


def replacements(instances: Iterable[Instance]) -> dict[tuple[str, str], dict[str, ServiceImage]]:
    """The lab's images by (device, stack), then by the name that the stack has for each."""
    return {
        instance.key: {
            name: ServiceImage(image, _target(image)) for name, image in instance.images.items()
        }
        for instance in instances
    }


def _target(image: str) -> str | None:
    repository = _familiar(image.partition("@")[0].rpartition(":")[0])
    if repository.startswith(f"{NAMESPACE}/"):
        return repository.removeprefix(f"{NAMESPACE}/")  # the lab's own overlay is in use
    return {_familiar(name): target for name, target in _table().items()}.get(repository)


@cache
def _table() -> Mapping[str, str]:
    table: Mapping[str, str] = yaml.safe_load((ASSETS / "images.yaml").read_text("utf-8"))
    return table


def _familiar(repository: str) -> str:
    """A repository without what Docker adds when it is left out."""
    return repository.removeprefix("docker.io/").removeprefix("library/")
