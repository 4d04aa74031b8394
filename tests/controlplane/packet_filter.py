"""A policy compiled to a packet filter: sets of addresses, ports and protocols.

    filter = compile_policy(document, tailnet)
    filter.allows("100.64.0.1", "100.64.0.2", 22, "tcp")

Rules only ever add up: there is no order and no deny. A policy with neither `grants` nor `acls`
allows everything, one with an empty list nothing (headscale docs/ref/policy.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from tests.controlplane import ports
from tests.controlplane.hujson import Json
from tests.controlplane.selectors import EVERYTHING, NotServed, Selectors
from tests.controlplane.tailnet import Network, Tailnet

SELF = "autogroup:self"


@dataclass(frozen=True, slots=True)
class Rule:
    """A grant or an ACL in one form: each target with its ports and protocols."""

    section: str
    index: int
    sources: tuple[str, ...]
    targets: tuple[tuple[str, tuple[ports.Range, ...], frozenset[int]], ...]
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FilterRule:
    """One line of a packet filter."""

    sources: tuple[Network, ...]
    targets: tuple[Network, ...]
    ports: tuple[ports.Range, ...]
    protocols: frozenset[int]

    def allows(self, source: str, target: str, port: int, protocol: int) -> bool:
        return (
            protocol in self.protocols
            and _inside(source, self.sources)
            and _inside(target, self.targets)
            and self._has(port, protocol)
        )

    def _has(self, port: int, protocol: int) -> bool:
        """Ping is answered wherever any port is open; what else has no ports needs all of them."""
        if protocol in {ports.ICMP, ports.ICMPV6}:
            return True
        if protocol not in ports.WITH_PORTS:
            return ports.EVERY in self.ports
        return any(first <= port <= last for first, last in self.ports)


@dataclass(frozen=True, slots=True)
class PacketFilter:
    """What the devices of a tailnet let in."""

    rules: tuple[FilterRule, ...]

    def allows(self, source: str, target: str, port: int, protocol: str = "tcp") -> bool:
        """Whether a packet gets through; both addresses are of one family, or it does not exist."""
        if ip_address(source).version != ip_address(target).version:
            return False
        (number,) = ports.protocols(protocol)
        return any(rule.allows(source, target, port, number) for rule in self.rules)

    def connects(
        self, source: Sequence[str], target: Sequence[str], port: int, protocol: str = "tcp"
    ) -> bool:
        """Whether a device gets through to another by any of their addresses."""
        return any(self.allows(one, other, port, protocol) for one in source for other in target)


ALLOW_ALL = PacketFilter(
    (FilterRule(EVERYTHING, EVERYTHING, (ports.EVERY,), frozenset(range(256))),)
)


def compile_policy(policy: Json, tailnet: Tailnet) -> PacketFilter:
    """The filter of a policy that was found valid."""
    if "grants" not in policy and "acls" not in policy:
        return ALLOW_ALL
    selectors = Selectors(policy, tailnet)
    return PacketFilter(
        tuple(line for rule in rules(policy) for line in _compiled(rule, selectors))
    )


def rules(policy: Json) -> list[Rule]:
    """Everything that gives access, in the order of the file.

    Raises:
        BadPorts: a rule names ports that there cannot be.
    """
    acls = [_acl(index, each) for index, each in enumerate(policy.get("acls") or ())]
    grants = [_grant(index, each) for index, each in enumerate(policy.get("grants") or ())]
    return acls + grants


def with_port(text: str) -> tuple[str, str]:
    """`host:ports` in two; `[::1]:22` loses its brackets. Without a colon the host is empty."""
    host, _, numbers = text.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), numbers


def _acl(index: int, acl: Json) -> Rule:
    _without_posture(acl)
    name = str(acl.get("proto", ""))
    which = ports.protocols(name)
    targets = []
    for text in acl.get("dst", acl.get("ports")) or ():
        host, numbers = with_port(text)
        try:
            targets.append((host, ports.checked(name, which, ports.ranges(numbers)), which))
        except ports.BadPorts as problem:
            raise ports.BadPorts(f'dst="{text}": {problem}') from None
    sources = acl.get("src", acl.get("users")) or ()
    return Rule("acls", index, tuple(sources), tuple(targets))


def _grant(index: int, grant: Json) -> Rule:
    _without_posture(grant)
    entries = [ports.entry(text) for text in grant.get("ip") or ()]
    targets = tuple(
        (target, numbers, which) for target in grant.get("dst") or () for which, numbers in entries
    )
    return Rule(
        "grants", index, tuple(grant.get("src") or ()), targets, tuple(grant.get("via") or ())
    )


def _compiled(rule: Rule, selectors: Selectors) -> Iterator[FilterRule]:
    sources = tuple(each for one in rule.sources for each in selectors.sources(one))
    for target, numbers, which in rule.targets:
        if target == SELF:
            for login in sorted({each for one in rule.sources for each in selectors.logins(one)}):
                own = tuple(each for one in selectors.devices(login) for each in one.networks)
                yield FilterRule(own, own, numbers, which)
        else:
            found = selectors.targets(target)
            if rule.via:
                found = selectors.through(found, rule.via)
            yield FilterRule(sources, found, numbers, which)


def _without_posture(rule: Json) -> None:
    if rule.get("srcPosture"):
        raise NotServed("srcPosture: the test server knows no postures")


def _inside(address: str, networks: tuple[Network, ...]) -> bool:
    parsed = ip_address(address)
    return any(parsed in network for network in networks)
