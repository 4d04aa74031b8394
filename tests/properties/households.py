"""Inventories of people and devices that are valid, and what they declare, worked out anew.

The stacks are those of `household/stacks`: a store, a front that reads it, a cluster whose instances
reach each other by a port that nobody else may, and a watch that reads the metrics of the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

Inventory = dict[str, Any]
Access = set[tuple[str, str, int, str]]  # source, device, port, protocol

BUNDLES = Path(__file__).parent / "household"
ROLES = ("admin", "adult", "child", "guest", "helper")
LOGINS = ("ann@example.com", "ben@github", "cleo.o-hara@example.com", "dan+x@example.com")
_NAMES = ("a", "b1", "4u", "device-x", "nas", "z9")
_EXPORTS = ("anythingllm", "homeassistant", "dns", "extra")
_OFFERED = {"store": ("store", "store-names"), "front": ("front",), "cluster": ("cluster",)}
_PORTS = {
    "store": {"rest": 6100, "names": 6101},
    "front": {"http": 6200},
    "cluster": {"rest": 6300, "p2p": 6301},
    "watch": {},
}


@st.composite
def households(draw: Any, *, by_hand: bool = True) -> Inventory:
    """Inventories; with `by_hand` some have rules that are written by hand."""
    names = draw(st.lists(st.sampled_from(_NAMES), min_size=2, max_size=4, unique=True))
    logins = draw(st.lists(st.sampled_from(LOGINS), max_size=3, unique=True))
    has_ipv6 = draw(st.booleans())
    offered = draw(st.lists(st.sampled_from(_EXPORTS), max_size=3))
    devices = {
        name: draw(_device(name, number, names, logins, has_ipv6=has_ipv6))
        for number, name in enumerate(names)
    }
    for number, export in enumerate(offered):
        holder = devices[draw(st.sampled_from(names))].setdefault("exports", {})
        protocol = draw(st.sampled_from(["tcp", "tcp", "udp"]))
        holder[export] = {"port": 2000 + number, "protocol": protocol, "description": export}
    reachable = sorted({export for export, *_ in _exports(devices)})
    for device in devices.values():
        device["connects"] = draw(_some(reachable))
    users = [{"id": login, "role": draw(st.sampled_from(ROLES))} for login in logins]
    deployers = draw(_some(["ci"]))
    helper = {"services": draw(_some([*reachable, "*"])), "ssh": draw(st.booleans())}
    tailnet = {"dns_name": "tail1234.ts.net", "deployers": deployers}
    tailnet["tags"] = {tag: {"description": "a machine elsewhere"} for tag in ("ci", "tv")}
    tailnet["control"] = "tailscale"
    if by_hand:
        carried = ["tag:lab" for each in devices.values() if each["tags"]][:1]
        ends = [*names, *logins, *carried, "tag:tv", "autogroup:member", "autogroup:tagged"]
        tailnet["hosts"] = {"lan": "192.168.1.0/24"}
        tailnet["grants"] = draw(st.lists(_grant([*ends, "*"]), max_size=2))
    return {
        "version": 1,
        "name": "household",
        "tailnet": tailnet,
        "tags": {"lab": "for experiments"},
        "roles": {"helper": helper},
        "users": users,
        "devices": devices,
    }


def _some(values: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=3) if values else st.just([])


@st.composite
def _device(
    draw: Any, name: str, number: int, names: list[str], logins: list[str], *, has_ipv6: bool
) -> dict[str, Any]:
    device: dict[str, Any] = {
        "model": "Mini PC",
        "kind": "linux",
        "layer": "edge",
        "role": "one of several",
        "arch": "amd64",
        "memory": "64GiB",
        "storage": "1 TB",
        "address": f"fd7a:115c:a1e0::{number + 1:x}" if has_ipv6 else f"100.64.0.{number + 1}",
        "deploy": True,
        "tags": draw(_some(["lab"])),
    }
    if draw(st.integers(0, 3)) == 0:
        device["ssh"] = draw(st.sampled_from([{"port": 2222}, {"host": "elsewhere", "port": 2222}]))
    belongs = draw(st.sampled_from(["nobody", "nobody", "isolated", "owned"]))
    if belongs == "isolated":
        device["isolated"] = True
    if belongs == "owned" and logins:
        device["owner"] = draw(st.sampled_from(logins))
    stacks = draw(_some(list(_PORTS)))
    device["stacks"] = {stack: draw(_settings(stack)) for stack in stacks}
    if not stacks:
        device["deploy"] = draw(st.booleans())
    sources = [f"{other}:/volume1/x" for other in names if other != name]
    sources += [f"//{other}/share" for other in names if other != name]
    chosen = draw(_some(sources))
    device["mounts"] = [{"path": f"/mnt/{n}", "source": each} for n, each in enumerate(chosen)]
    return device


@st.composite
def _settings(draw: Any, stack: str) -> dict[str, Any]:
    """A stack's settings on a device: perhaps other ports than its own."""
    moved = {port: number + 7000 for port, number in _PORTS[stack].items() if draw(st.booleans())}
    return {"ports": moved} if moved else {}


@st.composite
def _grant(draw: Any, ends: list[str]) -> dict[str, Any]:
    return {
        "reason": "by hand",
        "src": draw(st.lists(st.sampled_from(ends), min_size=1, max_size=2, unique=True)),
        "dst": draw(st.lists(st.sampled_from([*ends, "lan"]), min_size=1, max_size=2, unique=True)),
        "ip": draw(
            st.lists(
                st.sampled_from(["22", "tcp:6000-6200", "udp:*", "80", "*", "tcp:2000-2001"]),
                min_size=1,
                max_size=2,
            )
        ),
    }


def _ports(stack: str, settings: Mapping[str, Any]) -> dict[str, int]:
    return {**_PORTS[stack], **settings.get("ports", {})}


def _exports(devices: Mapping[str, Any]) -> Iterator[tuple[str, str, int, str]]:
    """Everything that is offered to others: its name, device, port and protocol."""
    for device, each in devices.items():
        for name, export in each.get("exports", {}).items():
            yield name, device, export["port"], export["protocol"]
        for stack, settings in each["stacks"].items():
            ports = _ports(stack, settings)
            if stack == "store":
                yield "store", device, ports["rest"], "tcp"
                yield "store-names", device, ports["names"], "udp"
            elif stack != "watch":
                yield stack, device, ports["http" if stack == "front" else "rest"], "tcp"


def declared(inventory: Inventory, built_in: Mapping[str, Mapping[str, Any]]) -> Access:
    """Who is to reach what by all that an inventory declares, but for rules by hand.

    Args:
        inventory: what was drawn.
        built_in: the roles that are not in it: `services` and `ssh` of each.
    """
    devices = inventory["devices"]
    access = {pair for name in devices for pair in _of_device(name, devices)}
    roles = {**built_in, **inventory["roles"]}
    owned: dict[str, list[str]] = {}
    for name, device in devices.items():
        owned.setdefault(device.get("owner", ""), []).append(name)
    for user in inventory["users"]:
        role = roles[user["role"]]
        for source in [user["id"], *owned.get(user["id"], ())]:
            access |= {
                (source, device, port, protocol)
                for export, device, port, protocol in _exports(devices)
                if export in role["services"] or "*" in role["services"]
            }
            access |= _logins(source, devices) if role["ssh"] else set()
    for tag in inventory["tailnet"]["deployers"]:
        access |= _logins(f"tag:{tag}", devices)
        access |= {
            (f"tag:{tag}", device, port, protocol)
            for export, device, port, protocol in _exports(devices)
            if export == "store"
        }
    return {access for access in access if access[0] != access[1]}


def _of_device(name: str, devices: Mapping[str, Any]) -> Iterator[tuple[str, str, int, str]]:
    """What a device is to reach by what it runs, mounts and connects to."""
    device = devices[name]
    wanted = set(device["connects"])
    if "front" in device["stacks"]:
        wanted |= {"store", "store-names"}
    if "watch" in device["stacks"]:
        wanted |= {"store"}  # its metrics are on the same port
    for export, other, port, protocol in _exports(devices):
        if export in wanted:
            yield name, other, port, protocol
    for mount in device["mounts"]:
        if mount["source"].startswith("//"):
            yield name, mount["source"].split("/")[2], 445, "tcp"
        else:
            yield name, mount["source"].split(":")[0], 2049, "tcp"
    for other, each in devices.items():
        if "cluster" in device["stacks"] and "cluster" in each["stacks"]:
            yield name, other, _ports("cluster", each["stacks"]["cluster"])["p2p"], "tcp"


def _logins(source: str, devices: Mapping[str, Any]) -> Access:
    found: Access = set()
    for name, device in devices.items():
        ssh = device.get("ssh", {})
        port = ssh["port"] if ssh and "host" not in ssh else 22
        if device["deploy"]:
            found.add((source, name, port, "tcp"))
    return found


def without(inventory: Inventory, gone: str) -> Inventory:
    """The inventory without a device, and without what only made sense with it."""
    devices = {name: dict(each) for name, each in inventory["devices"].items() if name != gone}
    for device in devices.values():
        device["mounts"] = [
            mount
            for mount in device["mounts"]
            if not mount["source"].startswith((f"{gone}:", f"//{gone}/"))
        ]
    offered = {export for export, *_ in _exports(devices)}
    for device in devices.values():
        device["connects"] = [export for export in device["connects"] if export in offered]
    helper = dict(inventory["roles"]["helper"])
    helper["services"] = [each for each in helper["services"] if each in offered | {"*"}]
    return {**inventory, "roles": {"helper": helper}, "devices": devices}
