"""Addresses and networks as rules write them, and sets of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import cache
from typing import Any

from paisctl.policy.world import Network

INTERNET = "autogroup:internet"
# What lies in these belongs to no public host [IANA special-purpose address registries].
_NOT_PUBLIC = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/3",
)


@cache
def networks_of(text: str) -> tuple[Network, ...]:
    """The networks of an address, a CIDR, a range `START-END` or `autogroup:internet`.

    IPv6 may stand in brackets. There are none in any other text.
    """
    if text == INTERNET:
        everything = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("2000::/3")]
        return tuple(without(everything, map(ipaddress.ip_network, _NOT_PUBLIC)))
    first, dash, last = text.strip("[]").partition("-")
    try:
        if not dash:
            return (ipaddress.ip_network(first, strict=False),)
        ends: list[Any] = [ipaddress.ip_address(first), ipaddress.ip_address(last)]
        return tuple(ipaddress.summarize_address_range(*ends))
    except (ValueError, TypeError):
        return ()


def without(nets: list[Network], taken: Iterable[Network]) -> list[Network]:
    """What is left of networks when others are taken out of them."""
    for hole in taken:
        nets = [piece for net in nets for piece in _pieces(net, hole)]
    return nets


def is_inside(net: Any, nets: Iterable[Any]) -> bool:
    """Whether one of several networks holds all of a network."""
    return any(net.version == other.version and net.subnet_of(other) for other in nets)


def _pieces(net: Any, hole: Any) -> list[Network]:
    if net.version != hole.version or not net.overlaps(hole):
        return [net]
    return [] if net.subnet_of(hole) else list(net.address_exclude(hole))
