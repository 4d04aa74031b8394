"""Who is to reach what: every connection that the inventory declares, with the line that does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from paisctl.diagnostics import Mark
from paisctl.inventory.load import Fleet, FleetDevice
from paisctl.rendering.graph import Endpoint, Graph
from paisctl.rendering.tailnet.names import Names

SSH = 22
NFS = 2049  # all that NFS 4 needs (RFC 7530, section 3.1)
SMB = 445


@dataclass(frozen=True, slots=True, order=True)
class Door:
    """A port of a device that something listens on."""

    device: str
    protocol: str
    port: int

    def __str__(self) -> str:
        return f"{self.device} {self.protocol} {self.port}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Why a connection is allowed, in words, and the line that asks for it."""

    words: str
    mark: Mark | None


@dataclass(slots=True)
class Declaration:
    """What one part of the inventory asks for: which selector reaches which doors, and why.

    `title` says it on one line.
    """

    title: str
    access: dict[tuple[str, Door], Origin] = field(default_factory=dict)

    def add(self, source: str, door: Door, origin: Origin) -> None:
        self.access.setdefault((source, door), origin)


def door_of(endpoint: Endpoint) -> Door:
    return Door(endpoint.device, endpoint.port.protocol, endpoint.port.published)


def ssh_door(fleet: Fleet, device: FleetDevice) -> Door:
    """Where a device takes logins from the tailnet.

    A host name of its own in `ssh:` is another way in, whose port says nothing about the tailnet.
    """
    ssh = device.device.ssh
    is_direct = ssh.host is None or fleet.called(ssh.host) == device.name
    return Door(device.name, "tcp", ssh.port if is_direct and ssh.port else SSH)


def declared_access(fleet: Fleet, graph: Graph, names: Names) -> list[Declaration]:
    """Everything that the inventory and its stacks declare, in the inventory's order."""
    declarations = [
        *_stacks(graph, names),
        *_devices(fleet, graph, names),
        *_mounts(fleet, names),
        *_roles(fleet, graph, names),
        *_deployers(fleet, graph),
    ]
    return [declaration for declaration in declarations if declaration.access]


def _stacks(graph: Graph, names: Names) -> Iterator[Declaration]:
    found: dict[str, Declaration] = {}
    for edge in graph.edges:
        source, target = edge.source, edge.target
        what = edge.connect.export or "metrics"
        if edge.connect.peers:
            title = f"the instances of {source.name} reach each other ({what})"
        elif edge.connect.metrics:
            title = f"{source.name} reads the metrics of {target.stack}"
        else:
            title = f"{source.name} connects to {what}"
        declaration = found.setdefault(title, Declaration(title))
        if source.device.name == target.device and not edge.connect.peers:
            continue  # a device's traffic to itself does not pass the tailnet
        words = f"{source.name} on {source.device.name} connects to {what} on {target.device}"
        selector = names.devices[source.device.name]
        declaration.add(selector, door_of(target), Origin(words, source.mark))
        if edge.connect.peers:
            # Each with itself, too: that changes nothing, and makes one rule of three.
            own = next(e for e in graph.exports[what] if e.key == source.key)
            declaration.add(selector, door_of(own), Origin(words, source.mark))
    yield from found.values()


def _devices(fleet: Fleet, graph: Graph, names: Names) -> Iterator[Declaration]:
    for device in fleet.devices.values():
        for position, export in enumerate(device.device.connects):
            declaration = Declaration(f"{device.name} connects to {export}")
            mark = device.source.mark(("connects", position))
            for target in graph.exports.get(export, ()):
                if target.device != device.name:
                    words = f"{device.name} connects to {export} on {target.device}"
                    selector = names.devices[device.name]
                    declaration.add(selector, door_of(target), Origin(words, mark))
            yield declaration


def _mounts(fleet: Fleet, names: Names) -> Iterator[Declaration]:
    found: dict[str, Declaration] = {}
    for device, source, door, mark in _mounted(fleet):
        title = f"file systems of {door.device} are mounted"
        declaration = found.setdefault(title, Declaration(title))
        origin = Origin(f"{device} mounts {source}", mark)
        declaration.add(names.devices[device], door, origin)
    yield from found.values()


def _mounted(fleet: Fleet) -> Iterator[tuple[str, str, Door, Mark | None]]:
    """Each mount from another device: who mounts what, through which door, and where that is said."""
    for device in fleet.devices.values():
        for position, mount in enumerate(device.device.mounts):
            port = SMB if mount.source.startswith("//") else NFS
            host = mount.source.removeprefix("//").partition("/")[0].partition(":")[0]
            other = fleet.called(host)
            if other is not None and other != device.name:
                mark = device.source.mark(("mounts", position))
                yield device.name, mount.source, Door(other, "tcp", port), mark


def _roles(fleet: Fleet, graph: Graph, names: Names) -> Iterator[Declaration]:
    for role in names.people():
        group = names.group(role)
        by_device: dict[str, list[tuple[str, Door, Mark | None]]] = {}
        for export, mark in _exports_of(fleet, graph, role):
            for target in graph.exports[export]:
                by_device.setdefault(target.device, []).append((export, door_of(target), mark))
        for device, found in by_device.items():
            exports = ", ".join(export for export, _, _ in found)
            services = Declaration(f"{group} may use {exports} on {device}")
            for export, door, mark in found:
                words = f"the role {role} may use {export} on {device}"
                services.add(group, door, Origin(words, mark))
            yield services
        if names.roles[role].ssh:
            title = f"{group} may log in"
            yield _logins(fleet, title, group, f"the role {role}", fleet.mark("roles", role, "ssh"))


def _exports_of(fleet: Fleet, graph: Graph, role: str) -> Iterator[tuple[str, Mark | None]]:
    """The exports a role may use, each with the line that says so."""
    for position, service in enumerate(fleet.inventory.roles[role].services):
        mark = fleet.source.mark(("roles", role, "services", position))
        wanted = graph.exports if service == "*" else [service]
        for export in wanted:
            if export in graph.exports and not is_private(graph, export):
                yield export, mark


def is_private(graph: Graph, export: str) -> bool:
    """Whether an export is for the peers of its stack alone."""
    endpoints = graph.exports.get(export, ())
    return any(_port_says(endpoint, "peers_only") for endpoint in endpoints)


def _port_says(endpoint: Endpoint, what: str) -> bool:
    instance = endpoint.instance
    return instance is not None and bool(
        getattr(instance.stack.bundle.ports[endpoint.port.name], what)
    )


def _deployers(fleet: Fleet, graph: Graph) -> Iterator[Declaration]:
    for position, tag in enumerate(fleet.inventory.tailnet.deployers):
        selector = tag if tag.startswith("tag:") else f"tag:{tag}"
        mark = fleet.source.mark(("tailnet", "deployers", position))
        yield _logins(fleet, f"{selector} deploys", selector, selector, mark)
        operated = Declaration(f"{selector} operates services")
        for export, endpoints in graph.exports.items():
            for target in endpoints:
                if _port_says(target, "operated"):
                    words = f"{selector} operates {export} on {target.device}"
                    operated.add(selector, door_of(target), Origin(words, mark))
        yield operated


def _logins(fleet: Fleet, title: str, selector: str, who: str, mark: Mark | None) -> Declaration:
    declaration = Declaration(title)
    for device in fleet.devices.values():
        if device.device.deploy:
            origin = Origin(f"{who} may log in to {device.name}", mark)
            declaration.add(selector, ssh_door(fleet, device), origin)
    return declaration


def services(fleet: Fleet, graph: Graph) -> dict[Door, tuple[str, ...]]:
    """Every port of the fleet that something listens on, logins too, and what it is called.

    It has several names if a stack exports it under several.
    """
    named: dict[Door, list[str]] = {}
    for export, endpoints in graph.exports.items():
        for endpoint in endpoints:
            named.setdefault(door_of(endpoint), []).append(export)
    for instance in graph.instances.values():
        for port in instance.ports.values():
            door = Door(instance.device.name, port.protocol, port.published)
            named.setdefault(door, [f"{instance.name} {port.name}"])
    for *_, door, _ in _mounted(fleet):
        named.setdefault(door, ["NFS" if door.port == NFS else "SMB"])
    for device in fleet.devices.values():
        if device.device.deploy:
            named.setdefault(ssh_door(fleet, device), ["ssh"])
    return {door: tuple(dict.fromkeys(names)) for door, names in sorted(named.items())}
