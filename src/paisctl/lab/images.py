"""Makes the lab's images in the local engine, and only those whose recipe changed.

An image is tagged with the digest of its recipe; a tag that exists is an image that is up to date.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from python_on_whales.exceptions import DockerException

from paisctl.errors import PaisctlError
from paisctl.lab.engine import last_line
from paisctl.lab.profiles import ASSETS
from paisctl.lab.replacements import NAMESPACE, STAND_IN, ServiceImage

if TYPE_CHECKING:
    from python_on_whales import DockerClient

Say = Callable[[str], None]

BASE_IN_REGISTRY = "debian:trixie-slim"
_SERVICES = ASSETS / "services"


class Images:
    """The lab's images in one local engine. `say` is told what is being made, as it is made."""

    def __init__(self, docker: DockerClient, say: Say) -> None:
        self._docker = docker
        self._say = say

    def ensure(self, services: Iterable[ServiceImage]) -> str:
        """Make the host image and the images of these services where they are not up to date.

        Returns:
            The reference of the host image.

        Raises:
            PaisctlError: an image cannot be made, or there is no recipe for one.
        """
        host = f"{NAMESPACE}/host:{recipe_digest(ASSETS / 'host', ASSETS / 'base')}"
        wanted = {image: build_reference(image) for image in sorted(set(services)) if image.target}
        missing = {i: ref for i, ref in wanted.items() if not self._docker.image.exists(ref)}
        host_missing = not self._docker.image.exists(host)
        base = self._ensure_base() if missing or host_missing else ""
        with ThreadPoolExecutor() as pool:
            tasks = [pool.submit(self._build_services, missing, base)]
            if host_missing:
                tasks.append(pool.submit(self._build_host, host, base))
            for task in tasks:
                task.result()
        for image, built in wanted.items():
            self._docker.image.tag(built, image.reference)
        return host

    def available(self, image: ServiceImage) -> bool:
        """Whether the image can be made here, or is here already."""
        return image.target is not None or self._docker.image.exists(image.reference)

    def ids(self, images: Iterable[ServiceImage]) -> dict[str, str]:
        """The local engine's ID of each image, by reference."""
        references = sorted({image.reference for image in images})
        with ThreadPoolExecutor() as pool:
            found = pool.map(self._docker.image.inspect, references)
            return {ref: image.id for ref, image in zip(references, found, strict=True)}

    def remove_unused(self) -> None:
        """Remove the images that labs made and no container has, and what builds left behind."""
        used = {container.image for container in self._docker.container.list(all=True)}
        for image in self._docker.image.list(filters=[("reference", f"{NAMESPACE}/*")]):
            if image.id not in used:
                self._docker.image.remove(list(image.repo_tags), force=True)
        self._docker.image.prune(filters=[("label", f"{NAMESPACE}.build")])

    def _ensure_base(self) -> str:
        base = f"{NAMESPACE}/base:{recipe_digest(ASSETS / 'base')}"
        if self._docker.image.exists(base):
            return base
        try:
            self._docker.image.pull(BASE_IN_REGISTRY, quiet=True)
        except DockerException:
            self._say("making a minimal Debian with debootstrap: no image registry answers (25 s)")
            self._bootstrap(base)
        else:
            self._docker.image.tag(BASE_IN_REGISTRY, base)
        return base

    def _bootstrap(self, base: str) -> None:
        with tempfile.TemporaryDirectory() as directory:
            archive = Path(directory, "root.tar")
            made = subprocess.run(
                [ASSETS / "base" / "bootstrap", archive],
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            if made.returncode:
                raise PaisctlError(
                    f"cannot make a base image: {made.stderr.strip()}",
                    f"give the Docker engine access to a registry that has {BASE_IN_REGISTRY}, "
                    "or run this as root on Debian with debootstrap installed",
                )
            self._docker.image.import_(archive, tag=base)

    def _build_host(self, reference: str, base: str) -> None:
        self._say("building the image of the lab's hosts (30 s)")
        self._build(ASSETS / "host", ASSETS / "host" / "Dockerfile", {"BASE": base}, reference)

    def _build_services(self, images: dict[ServiceImage, str], base: str) -> None:
        for image, reference in images.items():
            self._say(f"building {image.reference}")
            arguments = {"BASE": base, "VERSION": image.version}
            dockerfile = _SERVICES / "Dockerfile"
            self._build(ASSETS, dockerfile, arguments, reference, image.target)

    def _build(
        self,
        context: Path,
        dockerfile: Path,
        arguments: dict[str, str],
        reference: str,
        target: str | None = None,
    ) -> None:
        try:
            # Not buildx: an engine from a distribution's packages comes without it.
            self._docker.legacy_build(
                context, build_args=arguments, file=dockerfile, tags=reference, target=target
            )
        except DockerException as error:
            raise PaisctlError(f"cannot build {reference}: {last_line(error)}") from error


def build_reference(image: ServiceImage) -> str:
    """The tag under which a service image is kept until its recipe changes."""
    sources = [_SERVICES, ASSETS / "base"]
    if image.target and image.target.endswith(STAND_IN):
        sources.append(ASSETS / "standins")
    return f"{image.repository}:{image.tag}-{recipe_digest(*sources)}"


def recipe_digest(*directories: Path) -> str:
    """A short digest over the names and contents of the files in these directories."""
    total = hashlib.sha256()
    for path in sorted(p for d in directories for p in d.rglob("*") if p.is_file()):
        if "__pycache__" not in path.parts:
            total.update(f"{path.relative_to(ASSETS).as_posix()}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:12]
