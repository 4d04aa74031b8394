"""Every address of the fleet in a rendered file has a device, a listener, and a rule that allows it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.load import Fleet
from paisctl.rendering.checks.stack import COMMENT, Stack
from paisctl.rendering.graph import Graph
from paisctl.rendering.tailnet.access import Door
from paisctl.rendering.tailnet.proof import Prover

_PORT = re.compile(r":(?P<port>[0-9]{1,5})(?![0-9.:])")
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:]+)\]|(?P<name>[A-Za-z0-9.-]+))$")
_LONGEST = 253  # characters of a name in DNS: a line may have millions


def check_reach(
    fleet: Fleet, graph: Graph, stacks: list[Stack], prover: Prover, diagnostics: Diagnostics
) -> None:
    """Check what rendered files name of other devices: `address:port`, by address or by name."""
    devices = _devices(fleet)
    listening: dict[tuple[str, int], list[Door]] = {}
    for door in prover.doors:
        listening.setdefault((door.device, door.port), []).append(door)
    nodes = {node.name: node for node in prover.derived.world.nodes}
    for stack in stacks:
        own = stack.instance.device.name
        # A plain name is a device's only where containers are told so; else it may be a service's.
        plain = graph.extra_hosts(stack.instance)
        for host, port in sorted(_mentions(stack)):
            device = host if host in plain else devices.get(host)
            if device is None or device == own:
                continue  # not of this fleet, or not through the tailnet
            text = f"{host}:{port}"
            doors = listening.get((device, port))
            if doors is None:
                diagnostics.error(
                    "nobody-listens",
                    f"{stack.title} names {text}, but nothing of {device} listens on port {port}",
                    stack.blame(text) or stack.instance.mark,
                    "if it is no stack's, declare it under the device's `exports:`",
                )
            elif not any(prover.reaches(nodes[own], door) for door in doors):
                diagnostics.error(
                    "unreachable",
                    f"{stack.title} names {text}, but no rule of the access policy lets {own} "
                    f"reach it",
                    stack.blame(text) or stack.instance.mark,
                    "declare the connection: `connects:` of the bundle, or of the device",
                )


def _devices(fleet: Fleet) -> Mapping[str, str]:
    """Devices by all that they can be called by; not by an address that two of them have."""
    domain = fleet.inventory.tailnet.dns_name
    often = Counter(device.device.address for device in fleet.devices.values())
    return {
        name: device.name
        for device in fleet.devices.values()
        for name in (device.device.address, f"{device.name}.{domain}")
        if often[name] < 2
    }


def _mentions(stack: Stack) -> set[tuple[str, int]]:
    return {
        mention
        for file in stack.spec.files.values()
        for line in file.content.splitlines()
        if ":" in line and not COMMENT.match(line)
        for mention in _in_line(line)
    }


def _in_line(line: str) -> Iterator[tuple[str, int]]:
    for match in _PORT.finditer(line):
        before = line[max(0, match.start() - _LONGEST) : match.start()]
        host = _HOST.search(before)
        if host:
            yield host["v6"] or host["name"], int(match["port"])
