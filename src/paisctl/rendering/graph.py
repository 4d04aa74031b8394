"""The service graph: who listens where, who connects to whom. Everything else is derived.

Its edges are the `connects` of the stacks that run. Scrape targets, backends, `extra_hosts`, the
order of an apply and, later, the access policy all come from here: nobody writes a fact twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from paisctl.diagnostics import Diagnostics, did_you_mean
from paisctl.inventory.load import Fleet
from paisctl.rendering.bundle import Connect
from paisctl.rendering.catalog import Catalog
from paisctl.rendering.instances import Instance, InstancePort

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A port of an instance, seen from another one."""

    instance: Instance
    port: InstancePort
    path: str = ""

    @property
    def device(self) -> str:
        return self.instance.device.name

    @property
    def stack(self) -> str:
        return self.instance.name

    @property
    def url(self) -> str:
        return self.port.url + self.path


@dataclass(frozen=True, slots=True)
class Edge:
    """One connection: a stack on a device reaches a port of another."""

    source: Instance
    target: Endpoint
    connect: Connect


class Graph:
    """All instances of a fleet and the edges between them."""

    def __init__(self, instances: dict[Key, Instance]) -> None:
        self.instances = instances
        self._order = {key: position for position, key in enumerate(instances)}
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
            yield from self.scrapes()
            return
        for other in self.instances.values():
            if connect.peers and (other.name != instance.name or other.key == instance.key):
                continue
            port = other.stack.bundle.exports.get(connect.export or "")
            if port:
                yield Endpoint(other, other.ports[port])

    def of_stack(self, name: str) -> list[Instance]:
        """Every instance of a stack, in the inventory's order."""
        return [instance for instance in self.instances.values() if instance.name == name]

    def endpoints(self, instance: Instance, export: str) -> list[Endpoint]:
        """What an instance reaches of an export that it declares to connect to."""
        edges = self.edges_of(instance.key)
        return [edge.target for edge in edges if edge.connect.export == export]

    def scrapes(self) -> list[Endpoint]:
        """Every metrics endpoint of the fleet."""
        return [
            Endpoint(instance, instance.ports[metrics.port], metrics.path)
            for instance in self.instances.values()
            for metrics in instance.stack.bundle.metrics
        ]

    def needs(self, key: Key) -> list[Key]:
        """What must be healthy before an instance is changed, in the inventory's order.

        Peers come up one at a time: an instance needs the peers that are listed before it.
        """
        place = self._order
        needed = {
            other
            for edge in self.edges_of(key)
            if edge.connect.after
            and (other := edge.target.instance.key) != key
            and (not edge.connect.peers or place[other] < place[key])
        }
        return sorted(needed, key=place.__getitem__)

    def neighbours(self, instance: Instance) -> dict[str, str]:
        """Names and addresses of the other devices an instance connects to."""
        return {
            edge.target.device: edge.target.port.address
            for edge in self.edges_of(instance.key)
            if edge.target.device != instance.device.name
        }


def check_offers(graph: Graph, catalog: Catalog, fleet: Fleet, diagnostics: Diagnostics) -> None:
    """Report connections to what no device offers.

    A stack that is assigned counts as offered even when it has problems: they were reported.
    """
    assigned = {stack for device in fleet.devices.values() for stack in device.device.stacks}
    offered = {
        export
        for s in assigned & catalog.stacks.keys()
        for export in catalog.stacks[s].bundle.exports
    }
    if not assigned <= catalog.stacks.keys():
        return  # an unknown stack may well be the one that is missed
    for instance in graph.instances.values():
        for connect in instance.stack.bundle.connects:
            wanted = connect.export
            if wanted and wanted not in offered and not (connect.optional or connect.peers):
                diagnostics.error(
                    "missing-service",
                    f"`{instance.name}` on {instance.device.name} connects to `{wanted}`, "
                    "which no device offers",
                    instance.mark,
                    did_you_mean(wanted, offered, "exports that run"),
                )


def check_order(graph: Graph, diagnostics: Diagnostics) -> None:
    """Report circles in the order of applying."""
    for circle in _circles(graph):
        path = " → ".join(f"{device}/{stack}" for device, stack in (*circle, circle[0]))
        mark = graph.instances[circle[0]].mark
        hint = "set `after: false` on one of the connections in a bundle"
        diagnostics.error("dependency-cycle", f"these wait for each other: {path}", mark, hint)


def _circles(graph: Graph) -> Iterable[tuple[Key, ...]]:
    """Each circle once, starting at its first instance in the inventory's order."""
    needs = {key: graph.needs(key) for key in graph.instances}
    found: set[tuple[Key, ...]] = set()
    done: set[Key] = set()
    for start in needs:
        trail: list[Key] = []
        _walk(start, needs, trail, done, found)
    return sorted(found)


def _walk(
    key: Key,
    needs: dict[Key, list[Key]],
    trail: list[Key],
    done: set[Key],
    found: set[tuple[Key, ...]],
) -> None:
    if key in trail:
        circle = trail[trail.index(key) :]
        first = circle.index(min(circle))
        found.add((*circle[first:], *circle[:first]))
        return
    if key in done:
        return
    trail.append(key)
    for other in needs[key]:
        _walk(other, needs, trail, done, found)
    trail.pop()
    done.add(key)
