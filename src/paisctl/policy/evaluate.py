"""What a policy allows.

Rules are united: each adds, none takes away, and their order is of no account [Tailscale docs,
"Grants explained"]. Answers to what was allowed always pass, so only the direction in which a
connection is opened counts. A packet has one IP version, so a rule counts where its source and its
destination are meant by the same one. "Policy file syntax" here is Tailscale's "Syntax reference
for the tailnet policy file".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import itemgetter, or_

from paisctl.errors import BadPolicy
from paisctl.policy import port_syntax
from paisctl.policy.document import Acl, Grant, Policy
from paisctl.policy.ports import EVERYTHING, ICMP, ICMPV6, NOTHING, PortSet, number_of
from paisctl.policy.selectors import BOTH, NONE, Selectors, Versions
from paisctl.policy.world import Node, World

Ref = tuple[str, int]  # a section and the index of a rule in it
ALLOW_ALL: Ref = ("default", 0)  # there are no rules at all: everything is allowed
Target = Node | str


@dataclass(frozen=True, slots=True)
class _Rule:
    ref: Ref
    src: tuple[str, ...]
    dst: tuple[tuple[str, PortSet], ...]
    by_route: bool


class Rules:
    """The rules of a policy, ready to be asked about a tailnet.

    A rule that asks for a device posture counts, as if every device met it, unless
    `with_posture` is False. Rules for applications (`app`) alone open no port, and a grant `via`
    routers is about what lies behind them, not about devices [Tailscale docs, Grants syntax].

    Raises:
        BadPolicy: the ports of a rule cannot be understood; nothing can be said of such a policy.
    """

    def __init__(self, policy: Policy, world: World, *, with_posture: bool = True) -> None:
        self.selectors = Selectors(policy, world)
        self._rules = tuple(_compiled(policy, with_posture=with_posture))
        self._is_open = policy.grants is None and policy.acls is None
        numbered = list(enumerate(self._rules))
        self._sources = _Index((src, n, NOTHING) for n, rule in numbered for src in rule.src)
        self._targets = _Index((dst, n, ports) for n, rule in numbered for dst, ports in rule.dst)
        self._of = lru_cache(maxsize=4096)(self._rules_of)

    def ports(self, source: Node, target: Target) -> PortSet:
        """All that rules open to the source of the target (without the ping that follows it).

        Of a network that is no device (an address, a CIDR, an alias of `hosts` or
        `autogroup:internet`), what they open of the whole of it.
        """
        if self._is_open:
            return EVERYTHING
        return reduce(or_, (ports for _, ports in self._matching(source, target)), NOTHING)

    def reasons(self, source: Node, target: Target, port: int, protocol: str = "tcp") -> list[Ref]:
        """The rules that let the source reach a port of the target; none: it is denied.

        "If traffic is allowed for a given pair of IP addresses, then ICMP will also be allowed"
        [policy file syntax, proto], so every rule that opens a port is a reason for a ping.
        """
        found = [(ALLOW_ALL, EVERYTHING)] if self._is_open else self._matching(source, target)
        is_ping = number_of(protocol) in (ICMP, ICMPV6)
        return list(
            dict.fromkeys(
                ref for ref, ports in found if ports.contains(port, protocol) or (is_ping and ports)
            )
        )

    def _matching(self, source: Node, target: Target) -> Iterator[tuple[Ref, PortSet]]:
        by_source = self._of(source)
        found: list[tuple[int, PortSet]] = []
        for selector, entries in self._targets.about(target):
            by_target = self._meant(selector, source, target)
            found += [e for e in entries if by_target & by_source.get(e[0], NONE)]
        for place, ports in sorted(found, key=itemgetter(0)):
            rule = self._rules[place]
            if not (rule.by_route and isinstance(target, Node)):
                yield rule.ref, ports

    def _rules_of(self, source: Node) -> dict[int, Versions]:
        """The rules about a source, by their place, with the IP versions by which they mean it."""
        found: dict[int, Versions] = {}
        for selector, entries in self._sources.about(source):
            versions = self.selectors.source(selector, source)
            found |= {place: found.get(place, NONE) | versions for place, _ in entries if versions}
        return found

    def _meant(self, selector: str, source: Node, target: Target) -> Versions:
        if isinstance(target, Node):
            return self.selectors.target(selector, source, target)
        if selector == target:
            return BOTH
        found = [self.selectors.network(selector, net) for net in self.selectors.networks(target)]
        return frozenset[int]().union(*found) if all(found) else NONE


class _Index:
    """The places of rules by a selector in them, so that a device is not held against each tag of a
    large tailnet: it carries few.
    """

    def __init__(self, entries: Iterable[tuple[str, int, PortSet]]) -> None:
        self._all: dict[str, list[tuple[int, PortSet]]] = {}
        for selector, place, ports in entries:
            self._all.setdefault(selector, []).append((place, ports))
        self._but_tags = [item for item in self._all.items() if not item[0].startswith("tag:")]

    def about(self, what: Target) -> Iterable[tuple[str, list[tuple[int, PortSet]]]]:
        """What may be about a device, a network or an alias."""
        if not isinstance(what, Node):
            return self._all.items()
        carried = [(tag, self._all[tag]) for tag in what.tags if tag in self._all]
        return [*carried, *self._but_tags]


def _compiled(policy: Policy, *, with_posture: bool) -> Iterator[_Rule]:
    for i, grant in enumerate(policy.grants or ()):
        if with_posture or not grant.posture:
            ports = _ports(grant, i)
            yield _Rule(
                ("grants", i), grant.src, tuple((d, ports) for d in grant.dst), bool(grant.via)
            )
    for i, acl in enumerate(policy.acls or ()):
        if acl.action != "accept":
            raise BadPolicy(f'acls[{i}]: action="{acl.action}" is not supported')
        if with_posture or not acl.posture:
            yield _Rule(("acls", i), acl.src, tuple(_targets(acl, i)), by_route=False)


def _ports(grant: Grant, index: int) -> PortSet:
    try:
        return reduce(or_, map(port_syntax.of_grant, grant.ip), NOTHING)
    except ValueError as error:
        raise BadPolicy(f"grants[{index}]: {error}") from None


def _targets(acl: Acl, index: int) -> Iterator[tuple[str, PortSet]]:
    for entry in acl.dst:
        selector, ports = port_syntax.split(entry)
        try:
            yield selector, port_syntax.of_rule(ports, acl.proto)
        except ValueError as error:
            raise BadPolicy(f'acls[{index}]: dst="{entry}": {error}') from None
