"""What a control plane knows beside the policy: devices and people, as a test gives them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class User:
    """A person. `role` and `kind` as `GET /tailnet/{t}/users` has them (Tailscale OpenAPI)."""

    login: str
    role: str = "member"
    kind: str = "member"  # or "shared"
    status: str = "active"
    id: str = ""

    @property
    def domain(self) -> str:
        return self.login.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Device:
    """A machine: it belongs to `user`, or to its `tags` once it has any.

    `routes` are subnets it announces and that are approved; `0.0.0.0/0` makes it an exit node.
    """

    name: str
    addresses: tuple[str, ...]
    tags: tuple[str, ...] = ()
    user: str = ""
    routes: tuple[str, ...] = ()
    authorized: bool = True
    external: bool = False
    key_expiry_disabled: bool = False
    expires: str = "2030-01-01T00:00:00Z"
    last_seen: str = "2026-01-01T00:00:00Z"
    update_available: bool = False
    client_version: str = "1.98.0"
    os: str = "linux"

    @property
    def id(self) -> str:
        """The legacy number; stable for a name."""
        return str(zlib.crc32(self.name.encode()))

    @property
    def node_id(self) -> str:
        return f"n{self.id}CNTRL"

    @property
    def owner(self) -> str:
        """The login it belongs to: nobody's once it is tagged."""
        return "" if self.tags else self.user

    @property
    def networks(self) -> tuple[Network, ...]:
        return tuple(ip_network(address) for address in self.addresses)

    @property
    def approved(self) -> tuple[Network, ...]:
        return tuple(ip_network(route) for route in self.routes)


@dataclass(frozen=True, slots=True)
class Tailnet:
    """Everybody and everything that may take part."""

    devices: tuple[Device, ...] = ()
    users: tuple[User, ...] = ()
    name: str = "example.com"

    @property
    def members(self) -> Iterator[Device]:
        """Devices that take part: not those waiting for approval, nor those shared in."""
        return (each for each in self.devices if each.authorized and not each.external)

    @property
    def domains(self) -> frozenset[str]:
        return frozenset(user.domain for user in self.users) | {self.name}

    def with_tags(self, device_id: str, tags: tuple[str, ...]) -> Tailnet:
        return replace(
            self,
            devices=tuple(
                replace(each, tags=tags) if device_id in {each.id, each.node_id} else each
                for each in self.devices
            ),
        )

    def peopled(self, logins: Iterable[str], tags: Iterable[str]) -> Tailnet:
        """The same with one imaginary device for each login and tag that has none.

        A policy test asks what somebody *could* reach, so who has no device yet still counts.
        """
        known = {user.login for user in self.users}
        everybody = sorted(known | set(logins))
        owners = {each.owner for each in self.members}
        carried = {tag for each in self.members for tag in each.tags}
        numbers = _Numbers()
        imaginary = [
            *(numbers.device(user=login) for login in everybody if login not in owners),
            *(numbers.device(tags=(tag,)) for tag in sorted(set(tags) - carried)),
        ]
        newcomers = tuple(User(login) for login in everybody if login not in known)
        return replace(self, devices=(*self.devices, *imaginary), users=(*self.users, *newcomers))


@dataclass(slots=True)
class _Numbers:
    """Addresses for imaginary devices, at an end of the range that no test uses."""

    last: int = field(default=0)

    def device(self, user: str = "", tags: tuple[str, ...] = ()) -> Device:
        self.last += 1
        high, low = divmod(self.last, 250)
        addresses = (f"100.127.{200 + high}.{low + 1}", f"fd7a:115c:a1e0:ffff::{self.last:x}")
        return Device(f"imaginary-{self.last}", addresses, tags, user)
