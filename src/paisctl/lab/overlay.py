"""The inventory overlay of a lab: what must differ from the real fleet, and nothing else."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from paisctl.lab.hosts import USER, LabHost
from paisctl.lab.replacements import replacement

if TYPE_CHECKING:
    from paisctl.pipeline import Desired

SECRETS_FILE = "secrets.yaml"
PREFIX = 24  # of a lab's network

_HEADER = (
    "# Written by `paisctl lab up`: the fleet's inventory with the lab's hosts in its place.\n"
)


def overlay_of(desired: Desired, hosts: Iterable[LabHost], directory: Path) -> dict[str, Any]:
    """Build the overlay. `directory` is where the lab keeps its keys.

    A device keeps its architecture and memory, so that lint says of the lab what it says of the
    fleet. Devices that are not in the lab are not deployed to, and get addresses of the lab's
    network that nobody has: a rehearsal must never reach the real machines, nor their tailnet. Nor
    does it spread their secrets: the lab has its own.
    """
    by_device = {host.device: host for host in hosts}
    vacant = _vacant_addresses([host.address for host in by_device.values()])
    devices: dict[str, dict[str, Any]] = {
        name: _device(by_device[name], directory)
        if name in by_device
        else {"address": next(vacant), "deploy": False}
        for name in desired.fleet.devices
    }
    stacks: dict[str, Any] = {}
    for (device, stack), instance in desired.graph.instances.items():
        for name, upstream in instance.images.items():
            image = replacement(upstream)
            if image.target is None:
                continue
            shared = stacks.setdefault(stack, {"images": {}})["images"]
            shared[name] = {"repository": image.repository}
            if "@" in upstream and device in by_device:
                # A digest pins upstream's image. Only here can each device have another tag.
                own = devices[device].setdefault("stacks", {}).setdefault(stack, {"images": {}})
                own["images"][name] = {"tag": image.tag}
    secrets_file = str(directory / SECRETS_FILE)
    return {
        "tailnet": {"policy": False},
        "secrets_file": secrets_file,
        "backups": _backups(desired),
        "devices": devices,
        "stacks": stacks,
    }


def _backups(desired: Desired) -> dict[str, Any]:
    """The lab's own restic for the backups that go off-site."""
    return {
        name: {"offsite": {"image": image.reference}}
        for name, backup in desired.fleet.inventory.backups.items()
        if backup.offsite
        and (image := replacement(backup.offsite.image)).reference != backup.offsite.image
    }


def write_overlay(overlay: Mapping[str, Any], path: Path) -> None:
    path.write_text(_HEADER + yaml.safe_dump(overlay, sort_keys=False), "utf-8")


def _vacant_addresses(taken: Collection[str]) -> Iterator[str]:
    """Addresses of the lab's network from its upper end, far from those that hosts get."""
    network = ipaddress.ip_network(f"{min(taken)}/{PREFIX}", strict=False)
    return (
        str(address) for address in reversed(list(network.hosts())) if str(address) not in taken
    )


def _device(host: LabHost, directory: Path) -> dict[str, Any]:
    ssh = {
        "host": "127.0.0.1",
        "port": host.port,
        "user": USER,
        "identity_file": str(directory / "id_ed25519"),
        "known_hosts": str(directory / "known_hosts"),
    }
    return {"address": host.address, "ssh": ssh}
