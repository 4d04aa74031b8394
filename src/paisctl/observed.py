"""Observed state: what a host said when it was read. Frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from paisctl.resources.container import Container
from paisctl.resources.file import FileState


@dataclass(frozen=True)
class HostFacts:
    """What executing needs to know about a host.

    Attributes:
        system: what `uname -s` says: `Linux`, `Darwin`.
        user: who we are there.
        docker: the command that calls docker there: its path, after `sudo -n` where that is needed.
        files_sudo: whether `root` can only be written through `sudo -n`.
    """

    system: str
    user: str
    docker: tuple[str, ...]
    files_sudo: bool


@dataclass(frozen=True, slots=True)
class KeptGeneration:
    """What a host keeps of one generation, as text; what is missing or damaged shows as it is.

    Attributes:
        record: of record.json: who made it, when, from what.
        stacks: lines `STACK REVISION`: where each stack's files are kept.
        manifest: the manifest of that generation.
    """

    number: int
    record: str = ""
    stacks: str = ""
    manifest: str = ""


@dataclass(frozen=True)
class HostState:
    """One host as it is.

    Attributes:
        root: the absolute directory that paisctl owns there.
        containers: those of all Compose projects.
        images: by id, as `docker image inspect` shows them.
        files: below `root`, by path, such as `stacks/qdrant/compose.yaml`.
        texts: contents of files that are not secret, when they were asked for.
        manifest: the text of its manifest.json.
        facts: how to execute there; None when it could not be read.
        notes: what a person should know although nothing is wrong.
        lock: the text of its lock file; empty when nobody holds it.
        lock_alive: whether the process that took the lock lives; None when nobody can tell.
        last_runs: the last two lines of its audit.log; all of them when history was asked for.
        epoch: its own clock, in seconds since 1970.
        generations: those it keeps, when history was asked for, the lowest number first.
        open_rollouts: names of the rollouts that it remembers and that have not ended.
        kept_files: the files it keeps of them, as `STACK/REVISION/files/PATH`.
        remembered: lines `PATH:RECORD` of what it remembers of devices that sleep (paisctl.owing).
        holds: lines `PATH:HOLD` of what nobody may change for now (paisctl.hold).
        is_away: whether it could not even be connected to.
        problem: why nothing can be deployed to it; of what was read, only the texts of paisctl's
            own files are there then.
    """

    device: str
    root: str = ""
    containers: tuple[Container, ...] = ()
    images: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: Mapping[str, FileState] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    manifest: str = ""
    facts: HostFacts | None = None
    notes: tuple[str, ...] = ()
    lock: str = ""
    lock_alive: bool | None = None
    last_runs: tuple[str, ...] = ()
    epoch: int = 0
    generations: tuple[KeptGeneration, ...] = ()
    open_rollouts: tuple[str, ...] = ()
    kept_files: frozenset[str] = frozenset()
    remembered: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    is_away: bool = False
    problem: str = ""
    hint: str = ""

    def directory(self, stack: str) -> str:
        """The absolute directory of a stack."""
        return f"{self.root}/stacks/{stack}"

    def image_id(self, reference: str) -> str:
        """The id of the image a reference points at on this host; empty when it has none."""
        name = image_name(reference)
        for image_id, image in self.images.items():
            if name in (image.get("RepoTags") or []) or name in (image.get("RepoDigests") or []):
                return image_id
        return ""


def image_name(reference: str) -> str:
    """An image's reference as an engine lists it: Docker Hub is left out, and a tag before a digest."""
    name = reference.removeprefix("docker.io/").removeprefix("library/")
    repository, _, digest = name.partition("@")
    if digest:
        path, slash, last = repository.rpartition("/")
        name = f"{path}{slash}{last.partition(':')[0]}@{digest}"
    return name
