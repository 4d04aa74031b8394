"""The fleet that is measured on: a lab of equal hosts, and the inventory files that describe it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import yaml
from python_on_whales import DockerClient

from paisctl import pipeline
from paisctl.lab.engine import local_engine
from paisctl.lab.hosts import LabHost
from paisctl.lab.images import Images
from paisctl.lab.lab import Lab, default_name
from paisctl.lab.replacements import ServiceImage

PAISCTL = str(Path(sys.executable).with_name("paisctl"))
HERE = Path(__file__).parent
BATCH = 10  # hosts that start at the same time
USER = "paisctl"
OTHER_WORD = "second"
OTHER_TAG = "3.2.1"

# By name: what is laid over the inventory.
VARIANTS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "base": {},
        "changed-file": {"stacks": {"web": {"word": OTHER_WORD}}},
        "changed-tag": {"stacks": {"web": {"images": {"haproxy": {"tag": OTHER_TAG}}}}},
    }
)

_DOCKERFILE = """
FROM {host}
RUN apt-get update -qq \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3 rsync >/dev/null \\
 && rm -rf /var/lib/apt/lists/*
"""


class _ImagesForAnsible(Images):
    """The lab's images, but hosts with what Ansible needs there: Python, and rsync to be quick."""

    def __init__(self, docker: DockerClient, folder: Path) -> None:
        super().__init__(docker, _say)
        self._engine, self._folder = docker, folder

    def ensure(self, services: Iterable[ServiceImage]) -> str:
        host = super().ensure(services)
        reference = host.replace("/host:", "/host-for-ansible:")
        if not self._engine.image.exists(reference):
            _say("building the image of hosts that Ansible can manage")
            self._folder.mkdir(parents=True, exist_ok=True)
            Path(self._folder, "Dockerfile").write_text(_DOCKERFILE.format(host=host), "utf-8")
            self._engine.legacy_build(self._folder, tags=reference)
        return reference


class _Lab(Lab):
    def __init__(self, docker: DockerClient, directory: Path) -> None:
        super().__init__(docker, default_name(directory), directory / "lab", _say)
        self._images = _ImagesForAnsible(docker, directory / "image")


class Fleet:
    """Lab hosts `host-01`, `host-02` and so on; taken down as a whole.

    Args:
        folder: where everything that is generated lies; the tools read it there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.hosts: list[LabHost] = []

    @cached_property
    def _lab(self) -> _Lab:
        return _Lab(local_engine(), self.folder)

    def resize(self, size: int) -> None:
        """Start hosts until there are so many, and write what the tools read.

        Where there are more, all begin anew: idle ones would take time from those that are measured.

        Raises:
            PaisctlError: the lab cannot be brought up; the message says why.
        """
        if len(self._lab.status()) > size:
            self._lab.down(images=False)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_inventories(size)
        base = pipeline.desire([self._inventory])
        names = list(base.fleet.devices)
        for end in range(BATCH, size + BATCH, BATCH):
            self._lab.up(
                pipeline.desire([self._inventory, self._variant("changed-tag")]), names[:end]
            )
            self.hosts = self._lab.up(base, names[:end])
        self._render()
        self._write_for_peers()

    def down(self) -> None:
        """Remove the lab and everything that was generated."""
        self._lab.down(images=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def inventories(self, variant: str) -> list[str]:
        """The options that give paisctl the inventory of a variant."""
        files = [self._inventory, self._lab.overlay, self._variant(variant)]
        return [part for file in files for part in ("-i", str(file))]

    def rendered(self, variant: str) -> Path:
        """The folder that holds, per host, what is to be below its `/opt/paisctl`."""
        return self.folder / "rendered" / variant

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def host_list(self) -> Path:
        """The names of the hosts, one a line: an inventory of Ansible, too."""
        return self.folder / "hosts"

    @property
    def key(self) -> Path:
        return self._lab.directory / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self._lab.directory / "known_hosts"

    @property
    def _inventory(self) -> Path:
        return self.folder / "fleet.yaml"

    def _variant(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"

    def _write_inventories(self, size: int) -> None:
        stacks = self.folder / "stacks"
        if not stacks.exists():
            stacks.symlink_to(HERE / "stacks")
        inventory = {
            "version": 1,
            "name": "benchmarks",
            "tailnet": {"dns_name": "tail1234.ts.net", "policy": False},
            "stacks": {"web": {}, "machine": {}},
            "devices": {f"host-{n:02}": _device(n) for n in range(1, size + 1)},
        }
        self._inventory.write_text(yaml.safe_dump(inventory, sort_keys=False), "utf-8")
        for name, overlay in VARIANTS.items():
            self._variant(name).write_text(yaml.safe_dump(dict(overlay)), "utf-8")

    def _render(self) -> None:
        shutil.rmtree(self.folder / "rendered", ignore_errors=True)
        for name in VARIANTS:
            command = [PAISCTL, *self.inventories(name), "render", "-o", str(self.rendered(name))]
            subprocess.run(command, check=True, capture_output=True)

    def _write_for_peers(self) -> None:
        """An ssh_config for the shell script and Ansible; lists of the hosts for everybody."""
        lines = [
            "Host *",
            f"  User {USER}",
            "  HostName 127.0.0.1",
            f"  IdentityFile {self.key}",
            "  IdentitiesOnly yes",
            f"  UserKnownHostsFile {self.known_hosts}",
            "  StrictHostKeyChecking yes",
        ]
        for host in self.hosts:
            lines += [f"Host {host.device}", f"  Port {host.port}"]
        self.ssh_config.write_text("\n".join(lines) + "\n", "utf-8")
        names = [host.device for host in self.hosts]
        self.host_list.write_text("\n".join(names) + "\n", "utf-8")
        ports = {host.device: host.port for host in self.hosts}
        (self.folder / "ports.json").write_text(json.dumps(ports), "utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - what goes on


def _device(number: int) -> dict[str, object]:
    return {
        "model": "Lab host",
        "kind": "linux",
        "layer": "edge",
        "role": "measured",
        "arch": "amd64",
        "memory": "4GiB",
        "storage": "10 GB",
        "address": f"100.64.0.{number}",
        "stacks": {"web": {}, "machine": {}},
    }
