"""User lands to run the host's side in, and a docker that answers as a test tells it to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from paisctl.targets import Target
from paisctl.transports.local import LocalTransport
from tests.simulated import engine as simulated_engine

SHELLS = ("dash", "bash", "busybox")


@dataclass
class Host:
    """A place on this machine that looks like a host: its own PATH, home and managed root."""

    home: Path
    binaries: Path
    search: str

    @property
    def root(self) -> Path:
        return self.home / "managed root"

    @property
    def transport(self) -> LocalTransport:
        return LocalTransport({"PATH": self.search, "HOME": str(self.home)})

    def target(self, **changes: object) -> Target:
        settings = {"images": ("image:1",)} | changes
        return Target("box", self.transport, str(self.root), **settings)  # type: ignore[arg-type]

    def program(self, name: str, body: str, directory: Path | None = None) -> Path:
        """Install a shell script; it notes how it is called in `NAME.calls` beside home."""
        path = (directory or self.binaries) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        note = f'echo "$*" >> "{self.home}/{name}.calls"'
        path.write_text(f"#!/bin/sh\n{note}\n{body}\n")
        path.chmod(0o755)
        return path

    def has(
        self, containers: Sequence[Mapping[str, Any]] = (), images: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        """Say what is on its engine."""
        text = json.dumps({"containers": containers, "images": images})
        (self.home / "engine.json").write_text(text)

    def calls(self, name: str = "docker") -> list[str]:
        path = self.home / f"{name}.calls"
        return path.read_text().splitlines() if path.exists() else []

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        """Put a file below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file


@pytest.fixture(params=SHELLS)
def host(request: pytest.FixtureRequest, tmp_path: Path, userlands: dict[str, str]) -> Host:
    return make_host(tmp_path, userlands[request.param])


@pytest.fixture
def dash_host(tmp_path: Path, userlands: dict[str, str]) -> Host:
    return make_host(tmp_path, userlands["dash"])


def make_host(directory: Path, userland: str) -> Host:
    home, binaries = directory / "home", directory / "bin"
    home.mkdir()
    binaries.mkdir()
    host = Host(home, binaries, f"{binaries}:{userland}")
    host.has()
    return host


@pytest.fixture(scope="session")
def userlands(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A PATH for each shell: BusyBox alone, or the machine's programs with that shell as `sh`."""
    system = mirror(tmp_path_factory.mktemp("system"))
    paths = {}
    for shell in SHELLS:
        directory = tmp_path_factory.mktemp(shell)
        program = shutil.which(shell)
        assert program, f"{shell} is needed: apt-get install {shell}"
        if shell == "busybox":
            subprocess.run([program, "--install", "-s", str(directory)], check=True)
            paths[shell] = str(directory)
        else:
            (directory / "sh").symlink_to(program)
            paths[shell] = f"{directory}:{system}"
    return paths


def mirror(directory: Path) -> Path:
    """The machine's own programs but docker and sudo, which each test brings itself."""
    for place in ("/usr/bin", "/bin"):
        for entry in os.scandir(place):
            if entry.name not in ("docker", "sudo", "sh") and not (directory / entry.name).exists():
                (directory / entry.name).symlink_to(entry.path)
    return directory


# Cases of a scripted docker that lead to an engine, which has what `Host.has` was told.
LEADS_TO_ENGINE = f"""
  "system dial-stdio") exec "{sys.executable}" "{simulated_engine.__file__}" "$HOME/engine.json" ;;
  "compose version --short") echo 2.26.1 ;;"""
