"""The inventory overlay of a lab: what must differ from the real fleet, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from paisctl.lab.hosts import USER, LabHost
from paisctl.lab.replacements import replacement

if TYPE_CHECKING:
    from paisctl.pipeline import Desired

SECRETS_FILE = "secrets.yaml"

_HEADER = (
    "# Written by `paisctl lab up`: the fleet's inventory with the lab's hosts in its place.\n"
)


def overlay_of(desired: Desired, hosts: Iterable[LabHost], directory: Path) -> dict[str, Any]:
    """Build the overlay. `directory` is where the lab keeps its keys.

    A device keeps its architecture and memory, so that lint says of the lab what it says of the
    fleet; devices that are not in the lab are not deployed to. The lab has secrets of its own, so
    that a rehearsal never spreads the real ones.
    """
    by_device = {host.device: host for host in hosts}
    devices: dict[str, dict[str, Any]] = {
        name: _device(by_device[name], directory) if name in by_device else {"deploy": False}
        for name, device in desired.fleet.devices.items()
        if name in by_device or device.device.deploy
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
    return {"secrets_file": secrets_file, "devices": devices, "stacks": stacks}


def write_overlay(overlay: Mapping[str, Any], path: Path) -> None:
    path.write_text(_HEADER + yaml.safe_dump(overlay, sort_keys=False), "utf-8")


def _device(host: LabHost, directory: Path) -> dict[str, Any]:
    ssh = {
        "host": "127.0.0.1",
        "port": host.port,
        "user": USER,
        "identity_file": str(directory / "id_ed25519"),
        "known_hosts": str(directory / "known_hosts"),
    }
    return {"address": host.address, "ssh": ssh}
