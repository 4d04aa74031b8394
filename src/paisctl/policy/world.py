"""Who and what a policy is applied to: the devices of a tailnet and the people in it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MEMBER = frozenset({"member"})


@dataclass(frozen=True)
class Node:
    """A device. It belongs to a user or carries tags; with tags, the user no longer counts.

    `addresses` are those in the tailnet, IPv4 and IPv6; `tags` are written `tag:name`; `user` is a
    login name [Tailscale docs, Tags: "tagging removes the user identity"].
    """

    name: str
    addresses: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    user: str = ""

    @cached_property
    def hosts(self) -> tuple[Address, ...]:
        return tuple(ipaddress.ip_address(address) for address in self.addresses)

    @property
    def owner(self) -> str:
        """The login name of the user that rules see; empty for a tagged device."""
        return "" if self.tags else self.user


@dataclass(frozen=True)
class World:
    """A tailnet. `roles` are the roles of each user by login name (`admin`, `shared`, …).

    A user of whom nothing is said there is an ordinary member.
    """

    nodes: tuple[Node, ...] = ()
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def roles_of(self, login: str) -> frozenset[str]:
        return self.roles.get(login, MEMBER)


def person(login: str) -> Node:
    """A user, whichever device they have: no rule that names addresses is about it."""
    return Node(login, user=login)


def tagged(*tags: str) -> Node:
    """A device that carries the tags and that nothing else is known of."""
    return Node(", ".join(sorted(tags)), tags=frozenset(tags))
