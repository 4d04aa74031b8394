"""The whole policy: groups, tag owners, rules and their tests, each rule with where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from paisctl.diagnostics import Mark
from paisctl.inventory.load import Fleet
from paisctl.inventory.tailnet import HandGrant, SshRule
from paisctl.inventory.types import parse_duration
from paisctl.policy.document import Grant, Policy, Test
from paisctl.policy.world import Node, World
from paisctl.rendering.graph import Graph
from paisctl.rendering.tailnet.access import Declaration, Door, Origin, declared_access, services
from paisctl.rendering.tailnet.names import Names, tag_of

# Headscale knows no roles of people; there, a tag without owners is given by its admins.
OWNERS = {"tailscale": ("autogroup:admin",), "headscale": ()}
Section = tuple[str, int]  # a section of the policy and the place in it


@dataclass(frozen=True)
class Derived:
    """A policy and what it was derived from.

    `rules` has, by the place of a rule in the policy, what declared it; a rule by hand has one origin
    and no doors. `world` are the devices and people that it is about, `services` everything that
    listens on them. `tests` were run on it, whether they are sent along with it or not.
    """

    policy: Policy
    rules: Mapping[Section, Rule]
    world: World
    names: Names
    services: Mapping[Door, tuple[str, ...]]
    tests: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule of the policy was made from: its title, and the origin of each access."""

    title: str
    access: Mapping[tuple[str, Door], Origin]
    by_hand: Origin | None = None

    @property
    def mark(self) -> Mark | None:
        """A line of the inventory that asked for it."""
        origin = self.by_hand or next(iter(self.access.values()), None)
        return origin.mark if origin else None


def derive(fleet: Fleet, graph: Graph) -> Derived:
    """Derive the policy, without tests: `with_tests` adds those."""
    names = Names(fleet)
    rules: dict[Section, Rule] = {}
    grants: list[Grant] = []
    for declaration in declared_access(fleet, graph, names):
        for grant in _grants(declaration, names):
            rules["grants", len(grants)] = Rule(declaration.title, declaration.access)
            grants.append(grant)
    settings = fleet.inventory.tailnet
    for position, by_hand in enumerate(settings.grants):
        origin = Origin(by_hand.reason, fleet.source.mark(("tailnet", "grants", position)))
        rules["grants", len(grants)] = Rule(by_hand.reason, {}, origin)
        grants.append(_hand_grant(by_hand, names))
    for position, rule in enumerate(settings.ssh):
        origin = Origin(rule.reason, fleet.source.mark(("tailnet", "ssh", position)))
        rules["ssh", position] = Rule(rule.reason, {}, origin)
    policy = Policy(
        groups={names.group(r): tuple(u.id for u in us) for r, us in names.people().items()},
        hosts=_hosts(fleet, names),
        tag_owners=_tag_owners(fleet),
        grants=tuple(grants),
        acls=None,
        ssh=tuple(_ssh(rule, names) for rule in settings.ssh),
        tests=(),
        others=settings.sections,
    )
    return Derived(policy, rules, _world(fleet), names, services(fleet, graph))


def _grants(declaration: Declaration, names: Names) -> Iterable[Grant]:
    """The fewest rules that allow just what is declared: a rule is a full product of its parts."""
    by_pair: dict[tuple[str, str], set[tuple[str, int]]] = {}
    for source, door in declaration.access:
        pair = (source, names.devices[door.device])
        by_pair.setdefault(pair, set()).add((door.protocol, door.port))
    targets: dict[tuple[str, frozenset[tuple[str, int]]], list[str]] = {}
    for (source, target), ports in by_pair.items():
        targets.setdefault((source, frozenset(ports)), []).append(target)
    sources: dict[tuple[tuple[str, ...], frozenset[tuple[str, int]]], list[str]] = {}
    for (source, ports_), reached in targets.items():
        sources.setdefault((tuple(sorted(reached)), ports_), []).append(source)
    for (reached_, ports_), who in sources.items():
        ip = tuple(f"{protocol}:{port}" for protocol, port in sorted(ports_))
        yield Grant(tuple(sorted(who)), reached_, ip)


def _hand_grant(grant: HandGrant, names: Names) -> Grant:
    return Grant(
        names.expand(grant.src),
        names.expand(grant.dst),
        tuple(grant.ip),
        dict(grant.app),
        names.expand(grant.via),
        tuple(grant.src_posture),
    )


def _ssh(rule: SshRule, names: Names) -> dict[str, object]:
    document: dict[str, object] = {
        "action": rule.action,
        "src": list(names.expand(rule.src)),
        "dst": list(names.expand(rule.dst)),
        "users": list(rule.users),
    }
    if rule.check_period is not None:
        document["checkPeriod"] = f"{parse_duration(str(rule.check_period)):.0f}s"
    return document


def _hosts(fleet: Fleet, names: Names) -> dict[str, str]:
    """Aliases: those by hand, and devices that belong to somebody."""
    owned = {
        name: device.device.address
        for name, device in fleet.devices.items()
        if names.devices[name] == name
    }
    return owned | fleet.inventory.tailnet.hosts


def _tag_owners(fleet: Fleet) -> dict[str, tuple[str, ...]]:
    """Who may give a tag to a device; what is not listed does not exist for the policy."""
    settings = fleet.inventory.tailnet
    admins = OWNERS[settings.control]
    own = {
        tag_of(name): admins for name, device in fleet.devices.items() if not device.device.owner
    }
    foreign = {
        f"tag:{name}": admins if tag.owners is None else tuple(tag.owners)
        for name, tag in settings.tags.items()
    }
    return own | foreign


def _world(fleet: Fleet) -> World:
    nodes = [
        Node(
            name,
            (device.device.address,),
            frozenset() if device.device.owner else frozenset({tag_of(name)}),
            device.device.owner or "",
        )
        for name, device in fleet.devices.items()
    ]
    # Who administers the tailnet itself is not in the inventory: nobody gains by it here.
    return World(tuple(nodes), {user.id: frozenset({"member"}) for user in fleet.inventory.users})
