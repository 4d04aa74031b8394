"""Ports of a host: who wants which, and what the system already uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from paisctl.diagnostics import Diagnostics, Mark
from paisctl.inventory.load import FleetDevice
from paisctl.rendering.checks.stack import Stack
from paisctl.rendering.graph import Graph
from paisctl.rendering.instances import Instance


@dataclass(frozen=True, slots=True)
class _Claim:
    """A port of the host that somebody wants. `who` says it in words.

    `is_systems`: it is no stack, and may well be what the port is reserved for.
    """

    number: int
    protocol: str
    who: str
    mark: Mark | None
    is_systems: bool = False


def check_ports(
    device: FleetDevice, graph: Graph, stacks: list[Stack], diagnostics: Diagnostics
) -> None:
    """Report ports that two want, and ports of the system that one wants."""
    instances = [each for each in graph.instances.values() if each.device is device]
    claims = list(_beside_stacks(device))
    claims += [claim for instance in instances for claim in _declared(instance)]
    for stack in stacks:
        claims += _undeclared(stack, diagnostics)
    first: dict[tuple[int, str], _Claim] = {}
    for claim in claims:
        other = first.setdefault((claim.number, claim.protocol), claim)
        if other is not claim:
            related = [(f"{other.who} is put here", other.mark)] if other.mark else []
            diagnostics.error(
                "port-collision",
                f"{other.who} and {claim.who} both want port {claim.number} on {device.name}",
                claim.mark,
                "set another port under `ports:` of one of them, or move it to another device",
                related,
            )
        use = device.device.reserved_ports.get(str(claim.number))
        if use is not None and not claim.is_systems:
            mark = device.mark("reserved_ports", str(claim.number))
            kind = f"the system of {device.name} uses it for {use}"
            diagnostics.error(
                "reserved-port",
                f"{claim.who} wants port {claim.number} on {device.name}, but {kind}",
                claim.mark,
                f"set another port under `ports:` of the stack, for example {claim.number + 10000}",
                [("reserved here", mark)] if mark and not mark.file.startswith("(") else [],
            )


def _beside_stacks(device: FleetDevice) -> Iterator[_Claim]:
    for name, export in device.device.exports.items():
        mark = device.mark("exports", name)
        yield _Claim(export.port, export.protocol, f"the export `{name}`", mark, is_systems=True)


def _declared(instance: Instance) -> Iterator[_Claim]:
    for name, port in instance.ports.items():
        mark = instance.settings[f"ports.{name}"].mark or instance.mark
        yield _Claim(port.published, port.protocol, f"`{instance.name}` ({name})", mark)


def _undeclared(stack: Stack, diagnostics: Diagnostics) -> Iterator[_Claim]:
    """Ports that the Compose file publishes and `bundle.yaml` does not know."""
    known = {(port.published, port.protocol) for port in stack.instance.ports.values()}
    for service in stack.spec.services.values():
        for number, protocol in _published(service.definition.get("ports") or []):
            if (number, protocol) in known:
                continue
            mark = stack.blame(str(number))
            name = stack.instance.name
            diagnostics.warning(
                "undeclared-port",
                f"`{name}` publishes port {number}, which its bundle.yaml does not declare",
                mark,
                "list it under `ports:`; what connects to it, and who may, is derived from there",
            )
            yield _Claim(number, protocol, f"`{name}`", mark)


def _published(ports: list[Any]) -> Iterator[tuple[int, str]]:
    """Host ports of Compose's short and long syntax; a range yields each of its ports."""
    for port in ports:
        if isinstance(port, dict):
            host, protocol = str(port.get("published", "")), str(port.get("protocol", "tcp"))
        else:
            text, _, protocol = str(port).partition("/")
            host = text.rpartition(":")[0].rpartition(":")[2]
        first, _, last = host.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            for number in range(int(first), int(last or first) + 1):
                yield number, protocol or "tcp"
