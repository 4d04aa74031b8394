"""What is wrong with an inventory although every value is well formed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from paisctl.diagnostics import Diagnostics, did_you_mean
from paisctl.inventory.access import check_access
from paisctl.inventory.leaks import leak, looks_random
from paisctl.inventory.load import Fleet, FleetDevice
from paisctl.inventory.membership import check_membership
from paisctl.inventory.renames import check_renames
from paisctl.inventory.source import Path_
from paisctl.inventory.types import parse_port

_LEAK_HINT = (
    "declare it under `secrets:` and write `{secret: NAME}` here; if this file was ever shared or "
    "committed, replace the secret itself too"
)


def check_fleet(fleet: Fleet, diagnostics: Diagnostics) -> None:
    """Check addresses, tags, references between devices, people, and written-out secrets."""
    _addresses(fleet, diagnostics)
    check_membership(fleet, diagnostics)
    check_renames(fleet, diagnostics)
    for device in fleet.devices.values():
        check_access(device, diagnostics)
        _tags(device, fleet, diagnostics)
        _mounts(device, fleet, diagnostics)
        _reserved_ports(device, diagnostics)
        _not_deployed(device, diagnostics)
    _canaries(fleet, diagnostics)
    _secrets(fleet, diagnostics)


def _addresses(fleet: Fleet, diagnostics: Diagnostics) -> None:
    first: dict[str, FleetDevice] = {}
    for device in fleet.devices.values():
        if "address" not in device.source.data:
            continue
        text = device.device.address
        mark = device.source.mark(("address",))
        address = ipaddress.ip_address(text)
        if address.is_unspecified or address.is_multicast or address.is_loopback:
            message = f"{device.name} cannot be reached at {text} from another machine"
            diagnostics.error("bad-address", message, mark, "write its address in the tailnet")
            continue
        other = first.setdefault(text, device)
        if other is not device:
            known = other.source.mark(("address",))
            related = [(f"{other.name} has it here", known)] if known else []
            message = f"{device.name} has the same address as {other.name}, {text}"
            diagnostics.error("duplicate-address", message, mark, None, related)


def _tags(device: FleetDevice, fleet: Fleet, diagnostics: Diagnostics) -> None:
    for position, tag in enumerate(device.device.tags):
        if tag not in fleet.inventory.tags:
            diagnostics.error(
                "unknown-tag",
                f"unknown tag `{tag}`",
                device.source.mark(("tags", position)),
                did_you_mean(tag, fleet.inventory.tags, "tags"),
            )


def _mounts(device: FleetDevice, fleet: Fleet, diagnostics: Diagnostics) -> None:
    """A mount's source names a device, unless it is an address or a full DNS name."""
    for position, mount in enumerate(device.device.mounts):
        host = mount.source.removeprefix("//").partition("/")[0].partition(":")[0]
        if host and host not in fleet.devices and not set(host) & set(".["):
            hint = did_you_mean(host, fleet.devices, "devices")
            diagnostics.error(
                "unknown-device",
                f"unknown device `{host}`",
                device.source.mark(("mounts", position, "source")),
                f"{hint}; a machine outside the inventory is written as an address or a full name",
            )


def _reserved_ports(device: FleetDevice, diagnostics: Diagnostics) -> None:
    for port in device.device.reserved_ports:
        try:
            parse_port(int(port) if port.isdecimal() else port)
        except ValueError as error:
            diagnostics.error("bad-value", str(error), device.mark("reserved_ports", port))


def _not_deployed(device: FleetDevice, diagnostics: Diagnostics) -> None:
    if device.device.stacks and not device.device.deploy:
        stacks = ", ".join(device.device.stacks)
        diagnostics.warning(
            "not-deployed",
            f"nothing is deployed to {device.name}, so its stacks run nowhere: {stacks}",
            device.mark("stacks"),
            f"its kind `{device.device.kind}` or the device itself says `deploy: false`",
        )


def _canaries(fleet: Fleet, diagnostics: Diagnostics) -> None:
    """A canary must be a device that an apply changes at all."""
    for position, name in enumerate(fleet.inventory.apply.canary):
        mark = fleet.source.mark(("apply", "canary", position))
        device = fleet.devices.get(name)
        if device is None:
            hint = did_you_mean(name, fleet.devices, "devices")
            diagnostics.error("unknown-device", f"unknown device `{name}`", mark, hint)
        elif not device.device.deploy:
            message = f"nothing is deployed to {name}, so it cannot be a canary"
            hint = "name a device that is deployed to"
            diagnostics.error("bad-canary", message, mark, hint)


def _secrets(fleet: Fleet, diagnostics: Diagnostics) -> None:
    refused = {item.mark for item in diagnostics.errors}
    for path, value in _scalars(fleet.source.data, ()):
        name = next((step for step in reversed(path) if isinstance(step, str)), "")
        if name == "secret" or path[:1] == ("secrets",):
            continue  # a reference by name, or the declaration
        mark = fleet.source.mark(path)
        reason = leak(name, value)
        if reason and mark in refused:
            continue  # that it must be a reference was said
        if reason:
            diagnostics.error("literal-secret", reason, mark, _LEAK_HINT)
        elif isinstance(value, str) and name != "host_key" and looks_random(value):
            message = f"`{name}` holds a long random text, as secrets are"
            diagnostics.warning("possible-secret", message, mark, _LEAK_HINT)


def _scalars(value: Any, path: Path_) -> Iterator[tuple[Path_, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _scalars(item, (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _scalars(item, (*path, position))
    else:
        yield path, value
