"""What the names in rules stand for.

Each selector is held against a device as it is; nothing is turned into addresses first. The answer
is the IP versions by which the device is meant: an address or network in a rule means a device by
that version alone, every other selector by both [packet filters that Tailscale made, headscale
policy/v2/testdata/acl_results]. What each selector means is said in Tailscale's docs, "Targets and
selectors" and "Syntax reference for the tailnet policy file".
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from paisctl.policy.document import Policy
from paisctl.policy.networks import INTERNET, is_inside, networks_of, without
from paisctl.policy.world import Network, Node, World

Versions = frozenset[int]
BOTH: Versions = frozenset({4, 6})
NONE: Versions = frozenset()
SELF = "autogroup:self"
ANYWHERE = "autogroup:danger-all"
ROLES = ("admin", "owner", "it-admin", "network-admin", "billing-admin", "auditor")


class Selectors:
    """The selectors of a policy, held against the devices and people of a tailnet."""

    def __init__(self, policy: Policy, world: World) -> None:
        self.policy = policy
        self.world = world

    def source(self, selector: str, node: Node) -> Versions:
        """By which IP versions a source selector means the device.

        `*` means the tailnet's devices, approved routes and `autogroup:shared`;
        `autogroup:danger-all` those outside, too [policy file syntax, src].
        """
        return BOTH if selector in ("*", ANYWHERE) else self._either(selector, node)

    def target(self, selector: str, source: Node, node: Node) -> Versions:
        """By which IP versions a destination selector means the device, seen from the source.

        `*` means any; `autogroup:self` the untagged devices of the source's user
        [policy file syntax, dst and autogroups].
        """
        if selector == "*":
            return BOTH
        if selector == SELF:
            return BOTH if source.owner and source.owner == node.owner else NONE
        return self._either(selector, node)

    def network(self, selector: str, network: Network) -> Versions:
        """The IP version of a network that is no device, if the destination selector means all of
        it: `*` any, `autogroup:internet` public addresses, aliases and CIDRs what lies inside
        [policy file syntax, dst; hosts].
        """
        covers = selector == "*" or is_inside(network, self.networks(selector))
        return frozenset({network.version}) if covers else NONE

    def networks(self, selector: str) -> tuple[Network, ...]:
        """The networks that an address, CIDR, `START-END`, alias or IP set stands for."""
        if selector.startswith("ipset:"):
            return tuple(self._ipset(selector, frozenset()))
        return networks_of(self.policy.hosts.get(selector, selector))

    def _either(self, selector: str, node: Node) -> Versions:
        """Selectors that mean the same on both sides.

        A device belongs to a user or carries tags: users, groups and the roles among the autogroups
        mean untagged devices only [Tailscale docs, Tags].
        """
        kind, colon, name = selector.partition(":")
        if colon and kind == "tag":
            return BOTH if selector in node.tags else NONE
        if colon and kind == "group":
            members = self.policy.groups.get(selector, ())
            return BOTH if any(_is_login(member, node.owner) for member in members) else NONE
        if colon and kind == "autogroup" and selector != INTERNET:
            return BOTH if self._in_autogroup(name, node) else NONE
        if colon and kind == "user":
            domain = name.removeprefix("*")
            return BOTH if self._is_member(node) and node.owner.endswith(domain) else NONE
        if "@" in selector:
            return BOTH if _is_login(selector, node.owner) else NONE
        nets = self.networks(selector)
        return frozenset(host.version for host in node.hosts if any(host in net for net in nets))

    def _in_autogroup(self, name: str, node: Node) -> bool:
        """`members` is the older name of `member` [policy file syntax, autogroups]."""
        if name == "tagged":
            return bool(node.tags)
        if name in ("member", "members"):
            return self._is_member(node)
        is_role = name in (*ROLES, "shared")
        return is_role and bool(node.owner) and name in self.world.roles_of(node.owner)

    def _is_member(self, node: Node) -> bool:
        """Members are all users of the tailnet, but not those of other tailnets with whom a device
        is shared [policy file syntax, autogroups].
        """
        return bool(node.owner) and "shared" not in self.world.roles_of(node.owner)

    def _ipset(self, name: str, above: frozenset[str]) -> list[Network]:
        """The entries of an IP set in their order: each adds, or with `remove ` takes away
        [Tailscale docs, IP sets].
        """
        found: list[Network] = []
        for entry in self._ipsets.get(name, ()) if name not in above else ():
            words = str(entry).split() or [""]
            what = words[-1].removeprefix("host:")
            if what.startswith("ipset:"):
                nets = self._ipset(what, above | {name})
            else:
                nets = list(networks_of(self.policy.hosts.get(what, what)))
            found = without(found, nets) if words[0] == "remove" else found + nets
        return found

    @cached_property
    def _ipsets(self) -> dict[str, Any]:
        return next((v for k, v in self.policy.others.items() if k.lower() == "ipsets"), {})


def _is_login(selector: str, login: str) -> bool:
    """Headscale writes `name@` for a user whose login name is `name` [Headscale docs, Policy]."""
    return bool(login) and selector.removesuffix("@") == login.removesuffix("@")
