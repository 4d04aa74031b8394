"""The service graph: who listens where, who connects to whom. Everything else is derived.

Its edges are the `connects` of the stacks that run. Scrape targets, backends, the order of an apply
and the access policy all come from here: nobody writes a fact twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from paisctl.diagnostics import Diagnostics, Mark, did_you_mean
from paisctl.inventory.load import Fleet, FleetDevice
from paisctl.rendering.bundle import Connect
from paisctl.rendering.catalog import Catalog
from paisctl.rendering.instances import Instance, InstancePort

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A port of an instance, or of what else a device offers, seen from another one.

    What paisctl does not deploy has no `instance` and an empty `stack`. `mark` is where its port was
    written.
    """

    device: str
    stack: str
    port: InstancePort
    mark: Mark | None
    path: str = ""
    instance: Instance | None = None

    @property
    def key(self) -> Key:
        return (self.device, self.stack)

    @property
    def url(self) -> str:
        return self.port.url + self.path

    @property
    def rests(self) -> bool:
        """Whether nothing listens there, since its service is not enabled."""
        return self.instance is not None and self.instance.enabled.rests(self.port.service)


@dataclass(frozen=True, slots=True)
class Edge:
    """One connection: a stack on a device reaches a port of another."""

    source: Instance
    target: Endpoint
    connect: Connect


class Graph:
    """All instances of a fleet and the edges between them.

    Args:
        instances: the stacks that run.
        fleet: the devices, for what they offer beside.
    """

    def __init__(self, instances: dict[Key, Instance], fleet: Fleet) -> None:
        self.instances = instances
        self._order = {key: position for position, key in enumerate(instances)}
        # Every export of the fleet, by name.
        self.exports = _exports(instances, fleet)
        # Every metrics endpoint of the fleet, and those where somebody answers.
        self._metrics = [
            _endpoint(instance, metrics.port, metrics.path)
            for instance in instances.values()
            for metrics in instance.stack.bundle.metrics
            if metrics.port in instance.ports
        ]
        self.scrapes = [endpoint for endpoint in self._metrics if not endpoint.rests]
        self._edges = {key: list(self._outgoing(each)) for key, each in instances.items()}

    @property
    def edges(self) -> Iterator[Edge]:
        """Every edge, by source in the inventory's order."""
        return (edge for edges in self._edges.values() for edge in edges)

    def edges_of(self, key: Key) -> list[Edge]:
        """The edges that start at an instance."""
        return self._edges[key]

    def _outgoing(self, instance: Instance) -> Iterator[Edge]:
        for connect in instance.stack.bundle.connects:
            for endpoint in self._targets(instance, connect):
                yield Edge(instance, endpoint, connect)

    def _targets(self, instance: Instance, connect: Connect) -> Iterator[Endpoint]:
        if connect.metrics:
            yield from self._metrics
            return
        for endpoint in self.exports.get(connect.export or "", ()):
            is_peer = endpoint.stack == instance.name and endpoint.key != instance.key
            if is_peer or not connect.peers:
                yield endpoint

    def of_stack(self, name: str) -> list[Instance]:
        """Every instance of a stack, in the inventory's order."""
        return [instance for instance in self.instances.values() if instance.name == name]

    def endpoints(self, instance: Instance, export: str) -> list[Endpoint]:
        """What an instance reaches of an export that it declares to connect to.

        What rests is left out. Where all of it rests, an instance that cannot be without keeps it: its
        files stay as they are. Peers stay peers.
        """
        edges = [e for e in self.edges_of(instance.key) if e.connect.export == export]
        awake = [e for e in edges if e.connect.peers or not e.target.rests]
        kept = awake or [e for e in edges if not e.connect.optional]
        return [edge.target for edge in kept]

    def is_watched(self, instance: Instance) -> bool:
        """Whether alerts about an instance mean something: something of it runs and is scraped."""
        if instance.stack.bundle.metrics:
            return any(endpoint.key == instance.key for endpoint in self.scrapes)
        services = [port.service for port in instance.ports.values()] or [""]
        return not all(map(instance.enabled.rests, services))

    def lacks(self, instance: Instance) -> bool:
        """Whether something that an instance needs to connect to is offered by nobody."""
        reached = {edge.connect.export for edge in self.edges_of(instance.key)}
        return any(
            connect.export and connect.export not in reached
            for connect in instance.stack.bundle.connects
            if not (connect.optional or connect.peers)
        )

    def needs(self, key: Key) -> list[Key]:
        """What must be healthy before an instance is changed, in the inventory's order.

        Peers come up one at a time: an instance needs the peers that are listed before it.
        """
        place = self._order
        needed = {
            other
            for edge in self.edges_of(key)
            if edge.connect.after
            and (other := edge.target.key) != key
            and other in place
            and (not edge.connect.peers or place[other] < place[key])
        }
        return sorted(needed, key=place.__getitem__)

    def extra_hosts(self, instance: Instance) -> dict[str, str]:
        """Names and addresses of the other devices that an instance wants to know by name."""
        return {
            edge.target.device: edge.target.port.address
            for edge in self.edges_of(instance.key)
            if edge.connect.extra_hosts and edge.target.device != instance.device.name
        }


def _exports(instances: dict[Key, Instance], fleet: Fleet) -> dict[str, list[Endpoint]]:
    """What stacks offer, in the inventory's order, then what devices offer beside them."""
    exports: dict[str, list[Endpoint]] = {}
    for instance in instances.values():
        for name, port in instance.stack.bundle.exports.items():
            exports.setdefault(name, []).append(_endpoint(instance, port))
    for device in fleet.devices.values():
        for name in device.device.exports:
            exports.setdefault(name, []).append(_beside_stacks(device, name))
    return exports


def _beside_stacks(device: FleetDevice, name: str) -> Endpoint:
    own = device.device
    export = own.exports[name]
    number, protocol = export.port, export.protocol
    port = InstancePort(name, "", number, number, protocol, export.scheme, own.address)
    return Endpoint(device.name, "", port, device.mark("exports", name))


def _endpoint(instance: Instance, port: str, path: str = "") -> Endpoint:
    mark = instance.settings[f"ports.{port}"].mark or instance.mark
    return Endpoint(instance.device.name, instance.name, instance.ports[port], mark, path, instance)


def check_offers(graph: Graph, catalog: Catalog, fleet: Fleet, diagnostics: Diagnostics) -> None:
    """Report connections to what no device offers.

    A stack that is assigned counts as offered even when it has problems: they were reported.
    """
    assigned = {stack for device in fleet.devices.values() for stack in device.device.stacks}
    if not assigned <= catalog.stacks.keys():
        return  # an unknown stack may well be the one that is missed
    offers = {name: catalog.stacks[name].bundle.exports.keys() for name in catalog.stacks}
    offered = {export for name in assigned for export in offers[name]} | graph.exports.keys()
    for instance in graph.instances.values():
        for connect in instance.stack.bundle.connects:
            wanted = connect.export
            if not wanted or wanted in offered or connect.optional or connect.peers:
                continue
            offering = [f"`{name}`" for name in sorted(offers) if wanted in offers[name]]
            everything = {export for exports in offers.values() for export in exports}
            diagnostics.error(
                "missing-service",
                f"`{instance.name}` on {instance.device.name} connects to `{wanted}`, "
                "which no device offers",
                instance.mark,
                f"put {' or '.join(offering)} on a device"
                if offering
                else did_you_mean(wanted, everything, "exports"),
            )


def check_order(graph: Graph, diagnostics: Diagnostics) -> None:
    """Report circles in the order of applying."""
    for circle in _circles(graph):
        path = " → ".join(f"{device}/{stack}" for device, stack in (*circle, circle[0]))
        marks = {f"{d}/{s} is put here": graph.instances[d, s].mark for d, s in circle[1:]}
        diagnostics.error(
            "dependency-cycle",
            f"these wait for each other: {path}",
            graph.instances[circle[0]].mark,
            "set `after: false` on one of the connections in a bundle",
            [(words, mark) for words, mark in marks.items() if mark],
        )


def _circles(graph: Graph) -> Iterator[list[Key]]:
    """Each circle once, from its first instance in the inventory's order to what it waits for."""
    needs = {key: graph.needs(key) for key in graph.instances}
    order = {key: position for position, key in enumerate(needs)}
    while True:
        try:
            TopologicalSorter(needs).prepare()
        except CycleError as error:
            circle: list[Key] = error.args[1][:0:-1]
            first = circle.index(min(circle, key=order.__getitem__))
            circle = circle[first:] + circle[:first]
            yield circle
            needs[circle[0]].remove(circle[1 % len(circle)])
        else:
            return
