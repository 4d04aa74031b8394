"""The canary stack, as the file system and the engine of a host have it: what must survive."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.faults.harness.host import Host

CANARY = "canary-canary-1"
DATA = "a word that somebody has put into the volume"
FILES = (
    "compose.yaml",
    "recreate/recreate.conf",
    "restart/restart.conf",
    "settings/a name with 'quotes' and ünïcode.conf",
    "settings/none.conf",
    "settings/reload.conf",
)

# The word in every file, the volumes, what is in the canary's, and its container.
_LOOK = r"""
cd ROOT/stacks/canary 2>/dev/null && grep -roE '(word = |WORD: )[^ ]{1,40}' .
echo ----
docker volume ls --quiet --filter label=com.docker.compose.project | sort
echo ----
docker volume inspect --format "{{.Mountpoint}}" canary_data 2>/dev/null | sed s:$:/key: | xargs -r cat 2>/dev/null
echo ----
docker container inspect canary-canary-1 2>/dev/null || true
"""


@dataclass(frozen=True)
class Canary:
    """What a host has of the canary. `files` says which version each file is of, by path.

    `running` is the version that its container was made from, empty when none runs.
    """

    files: Mapping[str, str]
    volumes: frozenset[str]
    data: str
    container: Mapping[str, Any]

    @property
    def running(self) -> str:
        if not self.container or self.container["State"]["Status"] != "running":
            return ""
        environment = [text.partition("=") for text in self.container["Config"]["Env"]]
        return next(str(value) for name, _, value in environment if name == "WORD")

    @property
    def is_well(self) -> bool:
        """Whether it is of one version, and its container in good health."""
        return bool(self.word) and self.container["State"]["Health"]["Status"] == "healthy"

    @property
    def id(self) -> str:
        return str(self.container["Id"]) if self.container else ""

    @property
    def word(self) -> str:
        """The version that the whole stack is of, files and container; empty when of several."""
        whole = self.files == dict.fromkeys(FILES, self.running)
        return self.running if whole else ""

    def differences(self, word: str) -> set[str]:
        """What a plan for this version must name, by the subjects of its changes.

        The Compose file is what makes the services: where these are named, it need not be.
        """
        files = {
            f"file {path}"
            for path in FILES
            if self.files.get(path) != word and path != "compose.yaml"
        }
        return files | ({"service canary"} if self.running != word else set())


def look(host: Host) -> Canary:
    """Read the canary of a host."""
    said = host.sh(_LOOK.replace("ROOT", host.root) + "true")
    words, volumes, data, container = said.split("----\n")
    found = (line.partition(":") for line in words.splitlines())
    inspected = json.loads(container or "[]")
    return Canary(
        {path.removeprefix("./"): text.split()[-1] for path, _, text in found},
        frozenset(volumes.split()),
        data,
        inspected[0] if inspected else {},
    )


def put_data(host: Host) -> None:
    """Write what must never be lost into the canary's volume."""
    volume = "$(docker volume inspect --format '{{.Mountpoint}}' canary_data)"
    host.sh(f"printf %s '{DATA}' >{volume}/key; rm -f {volume}/crash")


_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the canary that the inventory may ask for: a word, and an overlay with it."""

    word: str
    overlay: Path

    def over(self, devices: Mapping[str, Any], stacks: Mapping[str, Any] | None = None) -> Version:
        """The same version, with other settings of devices and of other stacks."""
        document = yaml.safe_load(self.overlay.read_text("utf-8"))
        document["devices"] = dict(devices)
        document["stacks"] |= stacks or {}
        path = self.overlay.with_name(f"{self.word}-{next(_numbers)}.yaml")
        path.write_text(yaml.safe_dump(document), "utf-8")
        return Version(self.word, path)


def new_version(folder: Path, word: str = "", bulk: int = 0, **settings: Any) -> Version:
    """A version that was never there before.

    Args:
        folder: where its overlay is put.
        word: its word, if it matters.
        bulk: how many bytes more are in each of its five files.
        settings: of the canary.
    """
    word = word or f"v{next(_numbers)}"
    text = word + f"\n# {'x' * 77}" * (bulk // 80)
    canary = {"word": text, "environment": {"WORD": word}, **settings}
    path = folder / f"{word}.yaml"
    path.write_text(yaml.safe_dump({"stacks": {"canary": canary}}), "utf-8")
    return Version(word, path)


def check_survival(before: Canary, after: Canary, words: Collection[str]) -> None:
    """No volume removed, no data lost, and every file of one of these versions as a whole."""
    assert after.volumes >= before.volumes
    assert after.data == before.data == DATA
    assert set(after.files) == set(FILES)
    assert len(set(after.files.values())) == 1, f"half applied: {after.files}"
    assert set(after.files.values()) <= set(words)
