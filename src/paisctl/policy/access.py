"""Two policies compared by what people and devices gain and lose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_

from paisctl.policy.document import Policy
from paisctl.policy.evaluate import Rules, Target
from paisctl.policy.networks import INTERNET
from paisctl.policy.port_syntax import split
from paisctl.policy.ports import NOTHING, PortSet
from paisctl.policy.world import Node, World, person, tagged


@dataclass(frozen=True, slots=True)
class AccessChange:
    """What a user (by login name) or the devices with a tag gain and lose of a target.

    `target` is the name of a device, an address or network that is none, or `autogroup:internet`.
    """

    source: str
    target: str
    gained: PortSet
    lost: PortSet


def compare(
    before: Policy, after: Policy, world_before: World, world_after: World
) -> tuple[AccessChange, ...]:
    """Who gains and loses what, by source and target.

    People count whether they have devices or not, tags whether devices carry them or not. A person,
    tag or device that only one side knows has no access, or gives none, on the other. Networks that
    either policy names are asked of both.

    Raises:
        BadPolicy: the ports of a rule in one of the policies cannot be understood.
    """
    sides = (_Side(before, world_before), _Side(after, world_after))
    sources = sorted({name for side in sides for name in side.sources})
    networks = {name for side in sides for name in side.networks}
    for side in sides:
        side.targets |= {name: name for name in networks}
    targets = sorted({name for side in sides for name in side.targets})
    changes = (_change(sides, source, target) for source in sources for target in targets)
    return tuple(change for change in changes if change.gained or change.lost)


class _Side:
    """One of the policies with its tailnet."""

    def __init__(self, policy: Policy, world: World) -> None:
        self.rules = Rules(policy, world)
        self.sources: dict[str, dict[str, Node]] = {}
        for node in world.nodes:
            for name in _names(node):
                self.sources.setdefault(name, {})[node.name] = node
        for login in {*world.roles, *(user for group in policy.groups.values() for user in group)}:
            self.sources.setdefault(login, {})
        for tag in policy.tag_owners:
            self.sources.setdefault(tag, {})
        self.networks = set(self._networks(policy, world))
        self.targets: dict[str, Target] = {node.name: node for node in world.nodes}

    def _networks(self, policy: Policy, world: World) -> Iterator[str]:
        """The destinations of rules that are no devices."""
        hosts = {host for node in world.nodes for host in node.hosts}
        given = [dst for grant in policy.grants or () for dst in grant.dst]
        given += [split(dst)[0] for acl in policy.acls or () for dst in acl.dst]
        if policy.grants is None and policy.acls is None:
            yield INTERNET
        for dst in given:
            if dst in (INTERNET, "*"):
                yield INTERNET
            elif not dst.startswith("autogroup:"):
                for net in self.rules.selectors.networks(dst):
                    is_address = net.num_addresses == 1
                    if not (is_address and net.network_address in hosts):
                        yield str(net.network_address if is_address else net)

    def ports(self, source: str, device: str, target: str) -> PortSet:
        """What a device of the source reaches; one it has not is as any other of its kind."""
        if source not in self.sources or target not in self.targets:
            return NOTHING
        stand_in = tagged(source) if source.startswith("tag:") else person(source)
        node, what = self.sources[source].get(device, stand_in), self.targets[target]
        return NOTHING if node == what else self.rules.ports(node, what)


def _change(sides: tuple[_Side, _Side], source: str, target: str) -> AccessChange:
    """Device by device, so that what one gains does not hide what another loses."""
    devices = sorted({device for side in sides for device in side.sources.get(source, ())}) or [""]
    was, now = ([side.ports(source, device, target) for device in devices] for side in sides)
    gained = [new - old for old, new in zip(was, now, strict=True)]
    lost = [old - new for old, new in zip(was, now, strict=True)]
    return AccessChange(source, target, reduce(or_, gained), reduce(or_, lost))


def _names(node: Node) -> tuple[str, ...]:
    return tuple(node.tags) or ((node.user,) if node.user else (node.name,))
