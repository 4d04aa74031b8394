"""The bundles that paisctl ships with, and the reference fleet rendered from them."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.load import load
from paisctl.rendering.catalog import load_catalog
from paisctl.rendering.render import Rendered, render

REPOSITORY = Path(__file__).parents[3]
REFERENCE = REPOSITORY / "inventory" / "pais.yaml"


@dataclass(frozen=True)
class RenderedFleet:
    """What rendering made, for a test to look into."""

    rendered: Rendered

    def file(self, device: str, stack: str, path: str) -> str:
        return self.rendered.hosts[device].stacks[stack].files[path].content

    def service(self, device: str, stack: str, service: str) -> Mapping[str, Any]:
        return self.rendered.hosts[device].stacks[stack].services[service].definition

    def write(self, folder: Path) -> None:
        """Write every file to `folder/<device>/<stack>/`."""
        for device, host in self.rendered.hosts.items():
            for stack in host.stacks.values():
                for file in stack.files.values():
                    path = folder / device / stack.name / file.path
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(file.content, "utf-8")


def render_inventory(*paths: Path) -> RenderedFleet:
    """Render inventory files that have no problem at all."""
    diagnostics = Diagnostics()
    fleet = load(paths, diagnostics)
    assert fleet, list(diagnostics)
    rendered = render(fleet, load_catalog([REPOSITORY], diagnostics), diagnostics)
    assert list(diagnostics) == []
    return RenderedFleet(rendered)


def overlay(folder: Path, data: Mapping[str, Any]) -> Path:
    """Write an inventory overlay."""
    path = folder / "overlay.yaml"
    path.write_text(yaml.safe_dump(dict(data), allow_unicode=True), "utf-8")
    return path


@pytest.fixture(scope="session")
def reference() -> RenderedFleet:
    return render_inventory(REFERENCE)


@pytest.fixture
def mac_mini(reference: RenderedFleet, tmp_path: Path) -> Path:
    """What the reference fleet's load balancer and monitoring get, as files."""
    reference.write(tmp_path)
    return tmp_path / "mac-mini"


def tool(name: str) -> str:
    """A real program that checks what was rendered."""
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if path is None:
        pytest.fail(f"{name} is not installed; `make test` installs it on Debian as root")
    return path


def run(*command: str | Path) -> str:
    """Run a program that must succeed, and return all it printed."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    return output


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
