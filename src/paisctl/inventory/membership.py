"""People, roles and the tailnet's settings: what they name must exist, and be there once."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from paisctl.diagnostics import Diagnostics, did_you_mean
from paisctl.inventory.load import Fleet
from paisctl.inventory.people import group_of, limits_of
from paisctl.inventory.source import Path_
from paisctl.inventory.tailnet import SecretName
from paisctl.inventory.types import parse_api_url, parse_duration

# What paisctl writes itself; all other sections are taken over as they are.
_DERIVED = ("groups", "hosts", "tagowners", "grants", "acls", "ssh", "tests", "sshtests")

# Beginnings of selectors, which a plain name must not be mistaken for.
_WORDS = ("autogroup", "group", "ipset", "posture", "tag")
# https://tailscale.com/kb/1033/ip-and-dns-addresses; Headscale's default, too.
_TAILNET_IPV6 = ipaddress.IPv6Network("fd7a:115c:a1e0::/48")


def check_membership(fleet: Fleet, diagnostics: Diagnostics) -> None:
    """Check users, roles, owners of devices, and the settings under `tailnet:`."""
    check = _Check(fleet, diagnostics)
    check.users()
    check.roles()
    check.owners()
    check.tags()
    check.hosts()
    check.rules()
    check.sections()
    check.control()


def _is_of_tailnet(text: str) -> bool:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return False
    return isinstance(network, ipaddress.IPv6Network) and network.overlaps(_TAILNET_IPV6)


class _Check:
    def __init__(self, fleet: Fleet, diagnostics: Diagnostics) -> None:
        self.fleet = fleet
        self.inventory = fleet.inventory
        self.tailnet = fleet.inventory.tailnet
        self.diagnostics = diagnostics

    def error(
        self, code: str, message: str, path: Path_, hint: str | None = None, first: Path_ = ()
    ) -> None:
        """Add an error; `first` is the path of what was there before it."""
        mark = self.fleet.source.mark(first) if first else None
        related = [("first written here", mark)] if mark else []
        self.diagnostics.error(code, message, self.fleet.source.mark(path), hint, related)

    def unknown(self, what: str, name: str, path: Path_, known: Iterable[str]) -> None:
        hint = did_you_mean(name, known, f"{what}s")
        self.error(f"unknown-{what}", f"unknown {what} `{name}`", path, hint)

    def users(self) -> None:
        first: dict[str, int] = {}
        for position, user in enumerate(self.inventory.users):
            at: Path_ = ("users", position, "id")
            # Logins are addresses of mail: what differs in case alone is the same person.
            other = first.setdefault(user.id.lower(), position)
            if other != position:
                message = f"the user {user.id} is there twice"
                self.error("duplicate-user", message, at, None, ("users", other, "id"))
            if user.role not in self.inventory.roles:
                self.unknown("role", user.role, ("users", position, "role"), self.inventory.roles)
            if user.id.endswith("@") and self.tailnet.control == "tailscale":
                message = f"`{user.id}` is no login name of Tailscale"
                hint = "it is as Tailscale shows it: name@example.com, or name@github"
                self.error("bad-value", message, at, hint)
            role = self.inventory.roles.get(user.role)
            may = limits_of(user, role).allow_cloud if role else user.allow_cloud
            if may is False and user.cloud_budget_monthly:
                message = f"{user.id} has a budget for the cloud, but may not use it"
                mark = self.fleet.source.mark(("users", position, "cloud_budget_monthly"))
                hint = "`allow_cloud: true` lets them; else take the budget out"
                self.diagnostics.warning("no-cloud", message, mark, hint)

    def roles(self) -> None:
        first: dict[str, str] = {}
        for name, role in self.inventory.roles.items():
            group = group_of(name, role)
            other = first.setdefault(group, name)
            if other != name:
                message = f"the roles `{other}` and `{name}` have the same group, `{group}`"
                hint = "each would get what the other may; give each a group of its own"
                self.error("duplicate-group", message, ("roles", name, "group"), hint)

    def owners(self) -> None:
        known = [user.id for user in self.inventory.users]
        for device in self.fleet.devices.values():
            owner = device.device.owner
            if owner is None:
                continue
            if device.name in _WORDS:
                message = f"`{device.name}` means something else in the access policy"
                hint = "a device that belongs to somebody stands there by its name: choose another"
                self.diagnostics.error("bad-value", message, device.mark(), hint)
            if device.device.isolated:
                message = f"{device.name} is isolated, but reaches whatever {owner} may"
                hint = "take out one of the two: a device of nobody has rules of its own"
                mark = device.source.mark(("owner",))
                self.diagnostics.error("isolated-owner", message, mark, hint)
            if owner not in known and self.fleet.has("users"):
                hint = did_you_mean(owner, known, "users")
                mark = device.source.mark(("owner",))
                self.diagnostics.error("unknown-user", f"unknown user `{owner}`", mark, hint)

    def tags(self) -> None:
        for name in self.tailnet.tags:
            at: Path_ = ("tailnet", "tags", name)
            if name in self.fleet.devices:
                message = f"the tag `{name}` is that of the device of this name"
                self.error("duplicate-tag", message, at, "machines outside need another one")
            elif name in self.inventory.tags:
                message = f"`tag:{name}` would mean the devices that carry the tag `{name}`, too"
                self.error("duplicate-tag", message, at, "give one of the two another name")
            elif not name[0].isalpha():
                message = f"the tag `{name}` does not begin with a letter"
                self.error("bad-value", message, at)
        for position, tag in enumerate(self.tailnet.deployers):
            if tag.removeprefix("tag:") not in self.tailnet.tags:
                at = ("tailnet", "deployers", position)
                self.unknown("tag", tag, at, self.tailnet.tags)

    def hosts(self) -> None:
        for name, text in self.tailnet.hosts.items():
            at = ("tailnet", "hosts", name)
            if name in _WORDS:
                message = f"`{name}` means something else in the access policy"
                self.error("bad-value", message, at, "choose another name")
            if name in self.fleet.devices:
                message = f"`{name}` is the name of a device already"
                self.error(
                    "duplicate-host", message, at, "rules may use the device's name as it is"
                )
            try:
                ipaddress.ip_network(text)
            except ValueError:
                message, hint = _instead_of_network(text)
                self.error("bad-value", message, at, hint)

    def rules(self) -> None:
        """Check addresses in rules by hand: of devices, the inventory knows IPv4 ones at the most."""
        known = {d.device.address for d in self.fleet.devices.values()}
        for position, rule in enumerate(self.tailnet.grants):
            for side, selectors in (("src", rule.src), ("dst", rule.dst)):
                for place, selector in enumerate(selectors):
                    text = self.tailnet.hosts.get(selector, selector)
                    if text not in known and _is_of_tailnet(text):
                        message = f"nobody here knows whose addresses {text} are"
                        hint = "devices have IPv6 addresses that the inventory does not have: name "
                        hint += "devices, tags or groups instead"
                        at = ("tailnet", "grants", position, side, place)
                        self.error("unknown-address", message, at, hint)

    def sections(self) -> None:
        for name in self.tailnet.sections:
            if name.lower() in _DERIVED:  # control planes take no account of case
                message = f"the section `{name}` of the policy is written by paisctl"
                hint = "rules by hand go under `tailnet.grants`, `tailnet.ssh` and `tailnet.hosts`"
                self.error("derived-section", message, ("tailnet", "sections", name), hint)

    def control(self) -> None:
        at: Path_ = ("tailnet", "api")
        named = {"token": self.tailnet.api.token, "client_secret": self.tailnet.api.client_secret}
        for key, secret in named.items():
            if isinstance(secret, SecretName) and secret.secret not in self.inventory.secrets:
                self.unknown("secret", secret.secret, (*at, key), self.inventory.secrets)
        if self.tailnet.url is not None:
            try:
                parse_api_url(self.tailnet.url)
            except ValueError as error:
                self.error("bad-value", str(error), ("tailnet", "url"))
        switch = self.tailnet.switch
        if parse_duration(switch.settle) >= parse_duration(switch.limit):
            message = f"`settle` ({switch.settle}) leaves nothing of `limit` ({switch.limit})"
            self.error("bad-value", message, ("tailnet", "switch", "settle"))


def _instead_of_network(text: str) -> tuple[str, str]:
    """What is wrong with a text that is neither address nor network, and what to write."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        message = f"`{text}` is no address and no network"
        return message, "write for example 192.168.1.9 or 192.168.1.0/24; names are not resolved"
    address = text.partition("/")[0]
    return f"`{text}` is an address within a network", f"write {network}, or {address} alone"
