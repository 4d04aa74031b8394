"""The machines of the tailnet against the devices of the inventory. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from paisctl.tailnet.control import TailnetDevice

_SOON = timedelta(days=14)


class Kind(Enum):
    """What may be the matter with a machine."""

    MISSING = "missing"  # expected, and not in the tailnet
    UNKNOWN = "unknown"  # in the tailnet, and not expected
    UNAUTHORIZED = "unauthorized"  # waits for somebody to let it in
    WRONG_TAGS = "wrong tags"
    WRONG_OWNER = "wrong owner"
    UNTAGGED = "untagged"  # should belong to nobody, and belongs to somebody
    WRONG_NAME = "wrong name"
    WRONG_ADDRESS = "wrong address"
    KEY_EXPIRED = "key expired"
    KEY_EXPIRES = "key expires"
    OUTDATED = "outdated"  # a newer client is out


_HARMLESS = {Kind.UNKNOWN, Kind.KEY_EXPIRES, Kind.OUTDATED, Kind.WRONG_NAME}


@dataclass(frozen=True, slots=True)
class Expected:
    """A device that should be in the tailnet.

    Attributes:
        name: in the inventory and in the tailnet's DNS.
        address: in the tailnet; empty when it is not known.
        tags: with `tag:`; empty for one that belongs to a person.
        owner: that person's login; empty when it is tagged, or when nothing is known of them.
    """

    name: str
    address: str = ""
    tags: frozenset[str] = frozenset()
    owner: str = ""


@dataclass(frozen=True, slots=True)
class DeviceFinding:
    """Something that is the matter with a machine.

    Attributes:
        kind: what.
        device: its name in the inventory; of an unknown one, in the tailnet.
        message: the same, for a person, without the name.
        id: the machine's in the tailnet, for mending it; empty when it is missing.
    """

    kind: Kind
    device: str
    message: str
    id: str = ""

    @property
    def is_harmless(self) -> bool:
        """Whether all rules of the policy apply to the machine as they should."""
        return self.kind in _HARMLESS


def compare_devices(
    expected: Sequence[Expected], found: Sequence[TailnetDevice], now: datetime
) -> tuple[DeviceFinding, ...]:
    """What is the matter, sorted by device; nothing when all is as the inventory says.

    A machine is the one expected if it has its address, else if it has its name. One that is shared
    from another tailnet is none of ours, and not unknown either.

    Args:
        expected: the devices of the inventory that are part of the tailnet.
        found: the machines of the tailnet.
        now: the time, with a time zone.
    """
    pairs = _pairs(expected, [device for device in found if not device.is_foreign])
    findings: list[DeviceFinding] = []
    for device in expected:
        machine = pairs.get(device.name)
        if machine is None:
            message = "is not in the tailnet"
            findings.append(DeviceFinding(Kind.MISSING, device.name, message))
            continue
        findings += (
            DeviceFinding(kind, device.name, message, machine.id)
            for kind, message in (*_identity(device, machine), *_health(machine, now))
        )
    known = {machine.id for machine in pairs.values()}
    findings += (_unknown(m) for m in found if m.id not in known and not m.is_foreign)
    order = list(Kind)
    return tuple(sorted(findings, key=lambda f: (f.device, order.index(f.kind), f.id)))


def _pairs(
    expected: Sequence[Expected], found: Sequence[TailnetDevice]
) -> Mapping[str, TailnetDevice]:
    """The machine of each expected device, by device."""
    by_address = {_address(a): machine for machine in found for a in machine.addresses}
    pairs = {
        device.name: by_address[_address(device.address)]
        for device in expected
        if device.address and _address(device.address) in by_address
    }
    taken = {machine.id for machine in pairs.values()}
    by_name = {machine.name.lower(): machine for machine in found if machine.id not in taken}
    named = {
        device.name: by_name[device.name.lower()]
        for device in expected
        if device.name not in pairs and device.name.lower() in by_name
    }
    return {**named, **pairs}


def _identity(device: Expected, machine: TailnetDevice) -> Iterator[tuple[Kind, str]]:
    """Whether the policy takes the machine for what it is."""
    if not machine.authorized:
        yield Kind.UNAUTHORIZED, "waits to be authorized in the admin console"
    tags = frozenset(machine.tags)
    if device.tags and not tags:
        wanted, owner = _listed(device.tags), machine.user or "somebody"
        yield Kind.UNTAGGED, f"belongs to {owner}, should be tagged {wanted}"
    elif tags != device.tags:
        wanted = _listed(device.tags) if device.tags else "untagged"
        yield Kind.WRONG_TAGS, f"is tagged {_listed(tags)}, should be {wanted}"
    elif device.owner and not _is_owned(machine, device.owner):
        yield Kind.WRONG_OWNER, f"belongs to {machine.user or 'nobody'}, not to {device.owner}"
    if machine.name.lower() != device.name.lower():
        yield Kind.WRONG_NAME, f"is called {machine.name} in the tailnet"
    addresses = {_address(address) for address in machine.addresses}
    if device.address and _address(device.address) not in addresses:
        has = ", ".join(machine.addresses) or "no address"
        yield Kind.WRONG_ADDRESS, f"has {has}, not {device.address}"


def _health(machine: TailnetDevice, now: datetime) -> Iterator[tuple[Kind, str]]:
    if machine.expires is not None:
        day = machine.expires.date().isoformat()
        remedy = "sign in on it again, or disable key expiry"
        if machine.expires <= now:
            yield Kind.KEY_EXPIRED, f"its key expired on {day}: {remedy}"
        elif machine.expires - now <= _SOON:
            yield Kind.KEY_EXPIRES, f"its key expires on {day}: {remedy}"
    if machine.update_available:
        yield Kind.OUTDATED, f"runs Tailscale {machine.client_version or '?'}, a newer one is out"


def _unknown(machine: TailnetDevice) -> DeviceFinding:
    of = _listed(machine.tags) if machine.tags else machine.user or "nobody"
    where = machine.addresses[0] if machine.addresses else "no address"
    message = f"is not in the inventory ({of}, {where})"
    return DeviceFinding(Kind.UNKNOWN, machine.name or machine.id, message, machine.id)


def _is_owned(machine: TailnetDevice, login: str) -> bool:
    return login.casefold() in {name.casefold() for name in (machine.user, *machine.aliases)}


def _listed(tags: Sequence[str] | frozenset[str]) -> str:
    return ", ".join(sorted(tags))


def _address(text: str) -> str:
    """An address in its one form: IPv6 may be written in many."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text
