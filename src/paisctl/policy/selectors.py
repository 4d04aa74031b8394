"""What the names in rules stand for.

Each selector is held against a device as it is; nothing is turned into addresses first. The answer
is the IP versions by which the device is meant: an address or network in a rule means a device by
that version alone, every other selector by both [addresses that Tailscale puts into packet filters,
headscale policy/v2/testdata/acl_results]. The meaning of each kind follows Tailscale's docs,
"Targets and selectors".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from paisctl.policy.document import Policy
from paisctl.policy.world import Address, Network, Node, World

Versions = frozenset[int]
BOTH: Versions = frozenset({4, 6})
NONE: Versions = frozenset()
INTERNET = "autogroup:internet"
SELF = "autogroup:self"
EVERYBODY = ("*", "autogroup:danger-all")
ROLES = ("admin", "owner", "it-admin", "network-admin", "billing-admin", "auditor")


class Selectors:
    """The selectors of a policy, held against the devices and people of a tailnet."""

    def __init__(self, policy: Policy, world: World) -> None:
        self.policy = policy
        self.world = world

    def source(self, selector: str, node: Node) -> Versions:
        """By which IP versions a source selector means the device.

        `*` means the tailnet's devices, approved routes and `autogroup:shared`;
        `autogroup:danger-all` those outside, too [Tailscale docs, Targets and selectors].
        """
        if selector in EVERYBODY:
            return BOTH
        return self._either(selector, node)

    def target(self, selector: str, source: Node, node: Node) -> Versions:
        """By which IP versions a destination selector means the device, seen from the source.

        `autogroup:self` are the untagged devices of the source's user; `autogroup:internet` is no
        device of the tailnet [Tailscale docs, Targets and selectors].
        """
        if selector == "*":
            return BOTH
        if selector == SELF:
            return BOTH if source.owner and source.owner == node.owner else NONE
        return self._either(selector, node)

    def network(self, selector: str, network: Network) -> Versions:
        """The IP version of a network that is no device, if the selector means all of it.

        `*` covers approved routes and exit nodes, as in the policy that Tailscale starts with;
        `autogroup:internet` all public addresses; an alias or CIDR what lies inside of it
        [Tailscale docs, Targets and selectors; headscale routes_results].
        """
        inside = any(
            network.version == net.version and network.subnet_of(net)  # type: ignore[arg-type]
            for net in self.networks(selector)
        )
        public = selector == INTERNET and network.is_global
        return frozenset({network.version}) if selector == "*" or inside or public else NONE

    def networks(self, selector: str) -> tuple[Network, ...]:
        """The networks that an address, CIDR, `START-END`, alias or IP set stands for."""
        if selector.startswith("ipset:"):
            return tuple(self._ipset(selector, frozenset()))
        return networks_of(self.policy.hosts.get(selector, selector))

    def _either(self, selector: str, node: Node) -> Versions:
        """A device belongs to a user or carries tags: users, groups and the roles among the
        autogroups mean untagged devices only [Tailscale docs, Tags].
        """
        kind, colon, name = selector.partition(":")
        if kind == "tag" and colon:
            return BOTH if selector in node.tags else NONE
        if kind == "group" and colon:
            members = self.policy.groups.get(selector, ())
            return BOTH if any(_is_user(member, node.owner) for member in members) else NONE
        if kind == "autogroup" and colon:
            return BOTH if self._in_autogroup(name, node) else NONE
        if "@" in selector:
            return BOTH if _is_user(selector, node.owner) else NONE
        return self._by_address(selector, node.hosts)

    def _in_autogroup(self, name: str, node: Node) -> bool:
        """Members are all users of the tailnet, whatever else they are; those with whom a device of
        it is shared are no members [Tailscale docs, Targets and selectors, autogroup:shared].
        """
        if name == "tagged":
            return bool(node.tags)
        roles = self.world.roles_of(node.owner) if node.owner else frozenset()
        if name == "member":
            return bool(node.owner) and "shared" not in roles
        return name in (*ROLES, "shared") and name in roles

    def _by_address(self, selector: str, hosts: Iterable[Address]) -> Versions:
        nets = self.networks(selector)
        return frozenset(host.version for host in hosts if any(host in net for net in nets))

    def _ipset(self, name: str, above: frozenset[str]) -> list[Network]:
        """The entries of an IP set in their order: each adds, or with `remove ` takes away
        [Tailscale docs, IP sets].
        """
        found: list[Network] = []
        for entry in self._ipsets.get(name, ()) if name not in above else ():
            words = str(entry).split()
            what = words[-1].removeprefix("host:") if words else ""
            nets = (
                self._ipset(what, above | {name})
                if what.startswith("ipset:")
                else list(networks_of(self.policy.hosts.get(what, what)))
            )
            found = _without(found, nets) if words[:1] == ["remove"] else found + nets
        return found

    @cached_property
    def _ipsets(self) -> dict[str, Any]:
        return next((v for k, v in self.policy.others.items() if k.lower() == "ipsets"), {})


def networks_of(text: str) -> tuple[Network, ...]:
    """The networks of an address, a CIDR or a range `START-END`; none for any other text."""
    first, dash, last = text.strip("[]").partition("-")
    try:
        if not dash:
            return (ipaddress.ip_network(first, strict=False),)
        ends: list[Any] = [ipaddress.ip_address(first), ipaddress.ip_address(last)]
        return tuple(ipaddress.summarize_address_range(*ends))
    except (ValueError, TypeError):
        return ()


def _is_user(selector: str, login: str) -> bool:
    """A login name; `user:*@domain` for all of a domain; Headscale writes `name@` for users without
    one [Tailscale docs, Targets and selectors; Headscale docs, Policy].
    """
    if selector.startswith("user:*@"):
        return bool(login) and login.endswith(selector.removeprefix("user:*"))
    return bool(login) and selector.removesuffix("@") == login.removesuffix("@")


def _without(nets: list[Network], taken: list[Network]) -> list[Network]:
    for hole in taken:
        nets = [piece for net in nets for piece in _pieces(net, hole)]
    return nets


def _pieces(net: Any, hole: Any) -> list[Network]:
    if net.version != hole.version or not net.overlaps(hole):
        return [net]
    return [] if net.subnet_of(hole) else list(net.address_exclude(hole))
