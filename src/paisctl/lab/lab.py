"""Brings a lab up and takes it down. The steps, in order, are `Lab.up`."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paisctl.errors import PaisctlError, UsageError
from paisctl.inventory.selection import select
from paisctl.lab.engine import docker_errors
from paisctl.lab.hosts import USER, Hosts, LabHost
from paisctl.lab.images import Images, Say
from paisctl.lab.keys import ensure_key_pair
from paisctl.lab.overlay import PREFIX, SECRETS_FILE, overlay_of, write_overlay
from paisctl.lab.profiles import profile_for
from paisctl.lab.replacements import ServiceImage, replacement
from paisctl.secrets import init_secrets

if TYPE_CHECKING:
    from python_on_whales import DockerClient

    from paisctl.desired import HostSpec
    from paisctl.inventory.load import Fleet
    from paisctl.pipeline import Desired

# Private and outside what Docker hands out by itself, both here and inside the hosts.
_SUBNETS = ipaddress.ip_network("10.213.0.0/16")
_FIRST_HOST = 10

HOST_KEY = "ssh_host_ed25519_key"

# By device: the images that its services run, each with the stack that asks for it.
Wanted = Mapping[str, Mapping[ServiceImage, str]]


@dataclass(frozen=True, slots=True)
class HostStatus:
    """A host of the lab and the version of its engine; None when that does not answer."""

    host: LabHost
    engine: str | None


class Lab:
    """One lab: its name marks everything it has in Docker, its directory has all other traces."""

    def __init__(self, docker: DockerClient, name: str, directory: Path, say: Say) -> None:
        self.name = name
        self.directory = directory.resolve()
        self._say = say
        self._images = Images(docker, say)
        self._hosts = Hosts(docker, name)

    @property
    def overlay(self) -> Path:
        return self.directory / "overlay.yaml"

    @docker_errors()
    def up(self, desired: Desired, devices: Iterable[str] = ()) -> list[LabHost]:
        """Start a host for each device and fill it with the images that its stacks need.

        What is there already stays as it is. `devices` are names or patterns; without them, a
        host is started for every device that paisctl deploys to.

        Raises:
            UsageError: a device is not in the inventory, or is never deployed to.
            PaisctlError: an image or a host cannot be made; the message says which.
        """
        selected = set(select(desired.fleet, devices))
        chosen = [name for name in desired.fleet.devices if name in selected]
        wanted = {
            device: _images_of(desired.hosts[device]) | _offsite_images(desired.fleet, device)
            for device in chosen
        }
        self._refuse_unavailable(wanted)
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        host_image = self._images.ensure(image for needs in wanted.values() for image in needs)
        self._create_missing(desired.fleet, chosen, host_image)
        with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
            list(pool.map(self._hosts.start, chosen, map(self._keys, chosen)))
        hosts = [host for host in self._hosts.list() if host.state == "running"]
        self._load(hosts, wanted)
        self._write_state(desired, hosts)
        return hosts

    @docker_errors()
    def status(self) -> list[HostStatus]:
        """Every host of the lab, as Docker has it now."""
        hosts = self._hosts.list()
        with ThreadPoolExecutor() as pool:
            return list(map(HostStatus, hosts, pool.map(self._hosts.engine_version, hosts)))

    @docker_errors()
    def host(self, device: str) -> LabHost:
        """The running host of a device.

        Raises:
            UsageError: the lab has none.
        """
        hosts = {host.device: host for host in self._hosts.list() if host.state == "running"}
        if device not in hosts:
            known = ", ".join(hosts) or "none"
            raise UsageError(f"no lab host `{device}` is running", f"running lab hosts: {known}")
        return hosts[device]

    def ssh_command(self, host: LabHost) -> list[str]:
        """An `ssh` command line that logs in to a host, whatever the user's own settings are."""
        options = {
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self.directory / "known_hosts"),
        }
        flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        key = str(self.directory / "id_ed25519")
        return ["ssh", "-F", "none", "-i", key, *flags, "-p", str(host.port), f"{USER}@127.0.0.1"]

    @docker_errors()
    def down(self, *, images: bool) -> int:
        """Remove every trace of the lab, with `images` also those that no other lab uses.

        Returns:
            How many hosts there were.
        """
        removed = self._hosts.remove()
        if images:
            self._images.remove_unused()
        shutil.rmtree(self.directory, ignore_errors=True)
        return removed

    def _refuse_unavailable(self, wanted: Wanted) -> None:
        stacks = {image: stack for needs in wanted.values() for image, stack in needs.items()}
        missing = sorted(image for image in stacks if not self._images.available(image))
        if missing:
            named = ", ".join(f"`{image.upstream}` (stack `{stacks[image]}`)" for image in missing)
            raise PaisctlError(
                f"the lab has nothing in place of {named}",
                "pull the image into the local Docker engine, or choose devices without the stack",
            )

    def _create_missing(self, fleet: Fleet, chosen: Sequence[str], image: str) -> None:
        subnet = ipaddress.ip_network(self._hosts.ensure_network(_subnets(self.name)))
        present = self._hosts.list()
        taken = {host.address for host in present}
        free = (str(a) for a in list(subnet)[_FIRST_HOST:-1] if str(a) not in taken)
        names = {host.device for host in present}
        missing = dict(zip((d for d in chosen if d not in names), free, strict=False))
        if missing:
            self._say(f"starting {', '.join(missing)}")

        def create(device: str) -> None:
            found = fleet.devices[device]
            profile = profile_for(found.device.kind, found.kind.os)
            self._hosts.create(device, profile, found.device.root, missing[device], image)

        with ThreadPoolExecutor() as pool:
            list(pool.map(create, missing))

    def _keys(self, device: str) -> Path:
        """The folder with what a host's sshd needs, made at the first call."""
        client_key = ensure_key_pair(self.directory / "id_ed25519")
        keys = self.directory / "hosts" / device
        ensure_key_pair(keys / HOST_KEY)
        (keys / "authorized_keys").write_text(client_key + "\n", "ascii")
        return keys

    def _load(self, hosts: Iterable[LabHost], wanted: Wanted) -> None:
        ids = self._images.ids(image for needs in wanted.values() for image in needs)

        def load(host: LabHost) -> None:
            has = self._hosts.images(host)
            references = sorted(image.reference for image in wanted.get(host.device, ()))
            missing = [ref for ref in references if (ref, ids[ref]) not in has]
            if missing:
                self._say(f"{host.device}: loading {', '.join(missing)}")
                self._hosts.load(host, missing)

        with ThreadPoolExecutor() as pool:
            list(pool.map(load, hosts))

    def _write_state(self, desired: Desired, hosts: Sequence[LabHost]) -> None:
        lines = []
        for host in hosts:
            key = ensure_key_pair(self.directory / "hosts" / host.device / HOST_KEY)
            lines.append(f"[127.0.0.1]:{host.port} {key}\n")
        (self.directory / "known_hosts").write_text("".join(lines), "ascii")
        write_overlay(overlay_of(desired, hosts, self.directory), self.overlay)
        secrets = desired.fleet.inventory.secrets
        lengths = {name: secret.bytes for name, secret in secrets.items()}
        init_secrets(self.directory / SECRETS_FILE, lengths)
        state = {"name": self.name, "user": USER, "hosts": [asdict(host) for host in hosts]}
        (self.directory / "state.json").write_text(json.dumps(state, indent=2) + "\n", "utf-8")


def default_name(project: Path) -> str:
    """A lab's name for a project directory: readable, and unlike that of any other directory."""
    path = str(project.resolve())
    readable = re.sub(r"[^a-z0-9]+", "-", Path(path).name.lower()).strip("-")
    return f"{readable or 'lab'}-{hashlib.sha256(path.encode()).hexdigest()[:6]}"


def _images_of(host: HostSpec) -> dict[ServiceImage, str]:
    """The images that a host's services run, each with the stack that asks for it."""
    return {
        replacement(service.image): stack.name
        for stack in host.stacks.values()
        for service in stack.services.values()
    }


def _offsite_images(fleet: Fleet, device: str) -> dict[ServiceImage, str]:
    """The images that a host runs to copy backups off-site, each with the stack backed up."""
    return {
        replacement(backup.offsite.image): backup.stack
        for backup in fleet.inventory.backups.values()
        if backup.offsite and backup.store.device == device
    }


def _subnets(name: str) -> Iterable[str]:
    """All subnets that a lab may have, in an order that differs between labs."""
    subnets = list(_SUBNETS.subnets(new_prefix=PREFIX))
    start = int(hashlib.sha256(name.encode()).hexdigest(), 16) % len(subnets)
    return (str(subnet) for subnet in subnets[start:] + subnets[:start])
