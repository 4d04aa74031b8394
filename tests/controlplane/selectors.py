"""Whom a selector names, as sets of addresses.

Semantics: "Grants syntax" and "Autogroups" of the Tailscale documentation; where that is silent, the
packet filters that headscale captured from the control plane (hscontrol/policy/v2/testdata).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal

from tests.controlplane.hujson import Json
from tests.controlplane.tailnet import Device, Network, Tailnet

Kind = Literal["any", "user", "group", "tag", "autogroup", "ipset", "address", "host"]

# "*" as a source: the addresses that devices get, without the range that ChromeOS keeps for itself.
CHROMEOS = IPv4Network("100.115.92.0/23")
DEVICES: tuple[Network, ...] = (
    *IPv4Network("100.64.0.0/10").address_exclude(CHROMEOS),
    IPv6Network("fd7a:115c:a1e0::/48"),
)
EVERYTHING: tuple[Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
NOT_THE_INTERNET = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
    )
)
ROLES = ("owner", "admin", "it-admin", "network-admin", "billing-admin", "auditor")


class NotServed(Exception):
    """A part of the language that this server does not evaluate: it says so, and guesses nothing."""


def kind(selector: str) -> Kind:
    """What sort of thing a selector is, by how it is written."""
    if selector == "*":
        return "any"
    for prefix, named in _PREFIXES.items():
        if selector.startswith(prefix):
            return named
    if "@" in selector:
        return "user"
    return "address" if address(selector) else "host"


_PREFIXES: dict[str, Kind] = {
    "group:": "group",
    "tag:": "tag",
    "autogroup:": "autogroup",
    "ipset:": "ipset",
}


def address(text: str) -> Network | None:
    """An address or a network in CIDR notation; None when the text is neither."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def internet() -> tuple[Network, ...]:
    """What `autogroup:internet` is: public addresses only."""
    left = [IPv4Network("0.0.0.0/0")]
    for hole in NOT_THE_INTERNET:
        left = [part for each in left for part in _without(each, hole)]
    return (*left, IPv6Network("2000::/3"))


def _without(whole: IPv4Network, hole: IPv4Network) -> Iterable[IPv4Network]:
    return whole.address_exclude(hole) if hole.subnet_of(whole) else (whole,)


class Selectors:
    """The selectors of one policy in one tailnet."""

    def __init__(self, policy: Json, tailnet: Tailnet) -> None:
        self.policy = policy
        self.tailnet = tailnet

    def logins(self, selector: str) -> frozenset[str]:
        """The people whom a selector names (for `*`: everybody)."""
        everybody = {user.login: user for user in self.tailnet.users}
        match kind(selector):
            case "any":
                return frozenset(everybody)
            case "group":
                members = self.policy.get("groups", {}).get(selector, ())
                return frozenset(self._login(each) for each in members)
            case "user" if selector.startswith("user:*@"):
                domain = selector.partition("@")[2]
                return frozenset(each for each in everybody if each.endswith(f"@{domain}"))
            case "user":
                return frozenset({self._login(selector)})
            case "autogroup":
                return frozenset(
                    login
                    for login, user in everybody.items()
                    if _is_in(selector, user.role, user.kind)
                )
            case _:
                return frozenset()

    def sources(self, selector: str) -> tuple[Network, ...]:
        """From where those whom a selector names connect."""
        match kind(selector):
            case "any":
                return (*DEVICES, *self._subnets())
            case "autogroup" if selector == "autogroup:danger-all":
                return EVERYTHING
            case _:
                return self._named(selector)

    def targets(self, selector: str) -> tuple[Network, ...]:
        """Where those whom a selector names are reached. `autogroup:self` is the rule's own affair."""
        match kind(selector):
            case "any":
                return (*DEVICES, *(each for one in self.tailnet.members for each in one.approved))
            case "autogroup" if selector == "autogroup:internet":
                exits = any(route.prefixlen == 0 for route in self._routes())
                return internet() if exits else ()
            case _:
                return self._named(selector)

    def devices(self, selector: str) -> tuple[Device, ...]:
        """The devices that a selector names by tag or by owner."""
        match kind(selector):
            case "tag":
                return tuple(each for each in self.tailnet.members if selector in each.tags)
            case "autogroup" if selector == "autogroup:tagged":
                return tuple(each for each in self.tailnet.members if each.tags)
            case _:
                people = self.logins(selector)
                return tuple(each for each in self.tailnet.members if each.owner in people)

    def through(self, networks: tuple[Network, ...], via: Iterable[str]) -> tuple[Network, ...]:
        """What of the networks a device with one of the tags routes (whichever of them it is)."""
        routes = [route for tag in via for device in self.devices(tag) for route in device.approved]
        inside = [each for each in networks if any(_contains(route, each) for route in routes)]
        within = [route for route in routes if any(_contains(each, route) for each in networks)]
        return (*inside, *within)

    def _named(self, selector: str) -> tuple[Network, ...]:
        match kind(selector):
            case "host":
                found = address(self.policy.get("hosts", {}).get(selector, ""))
                return (found,) if found else ()
            case "address":
                found = address(selector)
                return (found,) if found else ()
            case "ipset":
                raise NotServed(f"{selector}: the test server does not evaluate IP sets")
            case _:
                return tuple(each for one in self.devices(selector) for each in one.networks)

    def _login(self, name: str) -> str:
        """The login of somebody whom Headscale's policies may also name by `name@`."""
        known = (user.login for user in self.tailnet.users)
        return next((each for each in known if name.endswith("@") and each.startswith(name)), name)

    def _routes(self) -> list[Network]:
        return [route for device in self.tailnet.members for route in device.approved]

    def _subnets(self) -> list[Network]:
        return [route for route in self._routes() if route.prefixlen]


def _is_in(autogroup: str, role: str, kind_of_user: str) -> bool:
    if autogroup == "autogroup:shared":
        return kind_of_user == "shared"
    if autogroup in {"autogroup:member", "autogroup:members"}:
        return kind_of_user == "member"
    return autogroup == f"autogroup:{role}" and kind_of_user == "member"


def _contains(outer: Network, inner: Network) -> bool:
    if isinstance(outer, IPv4Network):
        return isinstance(inner, IPv4Network) and inner.subnet_of(outer)
    return isinstance(inner, IPv6Network) and inner.subnet_of(outer)
