"""The tests that go with a policy, and the proof that it allows what is declared and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from operator import sub

from paisctl.inventory.load import Fleet
from paisctl.policy.document import Grant, Test
from paisctl.policy.evaluate import Ref, Rules
from paisctl.policy.ports import PortSet, number_of
from paisctl.policy.world import Node, person, tagged
from paisctl.rendering.graph import Graph
from paisctl.rendering.tailnet.access import Door
from paisctl.rendering.tailnet.derive import Derived


@dataclass(frozen=True, slots=True)
class Widened:
    """A rule by hand that opens what must stay shut: what, and to whom, in the inventory's words."""

    rule: Ref
    targets: tuple[str, ...]
    sources: tuple[str, ...]
    is_isolated: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody whose access is tested.

    `nodes` are the devices that stand for them. They must reach `wanted`, and none of `forbidden`,
    whatever rules are written by hand; `asked` are all doors that they are tested on.
    """

    selector: str
    nodes: tuple[Node, ...]
    wanted: frozenset[Door]
    forbidden: frozenset[Door]
    asked: tuple[Door, ...]
    is_isolated: bool


class Prover:
    """Asks a derived policy who reaches what."""

    def __init__(self, derived: Derived, fleet: Fleet, graph: Graph) -> None:
        self.derived = derived
        self._fleet = fleet
        self._rules = Rules(derived.policy, derived.world)
        self._nodes = {node.name: node for node in derived.world.nodes}
        self.doors = sorted(derived.services)
        self._declared = {pair for rule in derived.rules.values() for pair in rule.access}
        # Each port for peers only, with the selectors of the peers.
        self._private = {
            Door(instance.device.name, port.protocol, port.published): frozenset(
                derived.names.devices[peer.device.name] for peer in graph.of_stack(instance.name)
            )
            for instance in graph.instances.values()
            for name, port in instance.ports.items()
            if instance.stack.bundle.ports[name].peers_only
        }
        self.subjects = list(self._subjects())

    def reaches(self, source: Node, door: Door) -> list[Ref]:
        """The rules that let a device through a door; none means that nothing does."""
        return self._rules.reasons(source, self._nodes[door.device], door.port, door.protocol)

    def with_tests(self) -> Derived:
        """The policy with its tests: what everybody must reach, and what nobody else may."""
        tests = tuple(test for subject in self.subjects for test in self._tests(subject))
        return replace(self.derived, policy=replace(self.derived.policy, tests=tests), tests=tests)

    def unreachable(self) -> Iterator[tuple[Subject, Door]]:
        """What is declared and yet not allowed."""
        for subject in self.subjects:
            for door in sorted(subject.wanted):
                if not all(self.reaches(node, door) for node in subject.nodes):
                    yield subject, door

    def exposed(self) -> Iterator[tuple[str, Door]]:
        """What is declared although it is for peers only."""
        for selector, door in sorted(self._declared):
            if selector not in self._private.get(door, {selector}):
                yield selector, door

    def widened(self) -> Iterator[Widened]:
        """What rules by hand allow although it must not be, whoever wrote it."""
        called = {selector: name for name, selector in self.derived.names.devices.items()}
        for position, grant in enumerate(self.derived.policy.grants or ()):
            place = ("grants", position)
            if not self.derived.rules[place].by_hand:
                continue
            opened: dict[tuple[str, ...], list[str]] = {}
            for door in sorted(self._opened(grant)):
                strangers = (src for src in grant.src if (src, door) not in self._declared)
                said = f"{door.device} ({door.protocol} {door.port})"
                opened.setdefault(tuple(called.get(s, s) for s in strangers), []).append(said)
            for sources, doors in opened.items():
                if sources:
                    yield Widened(place, tuple(doors), sources)
            for name, device in self._fleet.devices.items():
                reached = tuple(self._beyond(grant, name)) if device.device.isolated else ()
                if reached:
                    yield Widened(place, reached, (name,), is_isolated=True)

    def _opened(self, grant: Grant) -> set[Door]:
        """The private doors that a rule opens to whomever it names."""
        rules = self._alone(replace(grant, src=("*",)))
        nodes = self._nodes
        return {
            door
            for door in self._private
            if rules.reasons(nodes[door.device], nodes[door.device], door.port, door.protocol)
        }

    def _beyond(self, grant: Grant, device: str) -> Iterator[str]:
        """What a rule opens to an isolated device, but for what is declared for it."""
        rules, source = self._alone(grant), self._nodes[device]
        if not any(rules.selectors.source(src, source) for src in grant.src):
            return
        for node in self._nodes.values():
            declared = [
                PortSet.of([number_of(door.protocol)], [(door.port, door.port)])
                for selector, door in self._declared
                if door.device == node.name and selector == self.derived.names.devices[device]
            ]
            more = reduce(sub, declared, rules.ports(source, node))
            if more and node != source:
                yield f"{node.name} ({more})"
        known = {host for node in self._nodes.values() for host in node.hosts}
        for dst in grant.dst:
            nets = [
                n for n in rules.selectors.networks(dst) if n.num_addresses > 1 or n[0] not in known
            ]
            if nets and grant.ip:
                yield f"{dst} ({rules.ports(source, dst)})"
        yield from grant.app

    def _alone(self, grant: Grant) -> Rules:
        """A rule without all others."""
        return Rules(replace(self.derived.policy, grants=(grant,)), self.derived.world)

    def undeclared(self) -> Iterator[tuple[str, Door]]:
        """What a derived rule allows although nothing declares it: there must never be any."""
        devices = {selector: name for name, selector in self.derived.names.devices.items()}
        for position, grant in enumerate(self.derived.policy.grants or ()):
            rule = self.derived.rules["grants", position]
            if rule.by_hand:
                continue
            for source, target, port in product(grant.src, grant.dst, grant.ip):
                protocol, _, number = port.partition(":")
                door = Door(devices[target], protocol, int(number))
                if (source, door) not in rule.access:
                    yield source, door

    def _subjects(self) -> Iterator[Subject]:
        declared: dict[str, set[Door]] = {}
        for selector, door in self._declared:
            declared.setdefault(selector, set()).add(door)
        for group, logins in self.derived.policy.groups.items():
            # Their devices are asked, too: one may reach more than its owner, by a rule of its own.
            owned = (node for node in self._nodes.values() if node.owner in logins)
            nodes = (*map(person, logins), *owned)
            yield self._subject(group, nodes, declared.get(group, ()), everything=True)
        for name, device in self._fleet.devices.items():
            selector = self.derived.names.devices[name]
            if not device.device.owner or selector in declared:
                everything = device.device.isolated
                wanted = declared.get(selector, ())
                nodes = (self._nodes[name],)
                yield self._subject(selector, nodes, wanted, everything=everything)
        for tag in self._fleet.inventory.tailnet.tags:
            selector = f"tag:{tag}"
            wanted = declared.get(selector, ())
            yield self._subject(selector, (tagged(selector),), wanted, everything=True)

    def _subject(
        self, selector: str, nodes: tuple[Node, ...], wanted: Collection[Door], *, everything: bool
    ) -> Subject:
        own = {node.name for node in nodes if len(nodes) == 1}
        is_isolated = any(
            node.name in self._fleet.devices and self._fleet.devices[node.name].device.isolated
            for node in nodes
        )
        shut = self.doors if is_isolated else list(self._private)
        forbidden = frozenset(d for d in shut if d not in wanted and d.device not in own)
        reached = frozenset(door for door in wanted if door.device not in own)
        others = (door for door in self.doors if door.device not in own)
        asked = tuple(others if everything else sorted(reached | forbidden))
        return Subject(selector, nodes, reached, forbidden, asked, is_isolated)

    def _tests(self, subject: Subject) -> Iterator[Test]:
        """One test per protocol: one that names none asks whether either of TCP and UDP passes."""
        for protocol in ("tcp", "udp"):
            accept, deny = [], []
            for door in subject.asked:
                if door.protocol != protocol:
                    continue
                target = f"{self.derived.names.devices[door.device]}:{door.port}"
                is_open = [bool(self.reaches(node, door)) for node in subject.nodes]
                if door in subject.wanted:
                    accept.append(target)
                elif not any(is_open):
                    deny.append(target)
            if accept or deny:
                yield Test(subject.selector, tuple(accept), tuple(deny), protocol)
