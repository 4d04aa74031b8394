"""How the things of an inventory are called in the access policy."""

from __future__ import annotations

from collections.abc import Iterable

from paisctl.inventory.load import Fleet, FleetDevice
from paisctl.inventory.people import User, group_of


class Names:
    """Selectors of the policy language for devices, roles and what rules by hand may name.

    A device of nobody carries one tag, its own, from the day it joins: what it runs and who may reach
    it then changes without touching the device. A device with an owner stays the owner's (Tailscale
    takes the owner from a device that is tagged) and is named by its address.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.devices = {name: _selector(device) for name, device in fleet.devices.items()}
        self.roles = fleet.inventory.roles
        self._carriers: dict[str, list[str]] = {}
        for name, device in fleet.devices.items():
            for tag in device.device.tags:
                self._carriers.setdefault(tag, []).append(name)

    def group(self, role: str) -> str:
        """The group of a role's people."""
        return f"group:{group_of(role, self.roles[role])}"

    def people(self) -> dict[str, list[User]]:
        """The users by role, in the inventory's order; roles that nobody has are left out."""
        people: dict[str, list[User]] = {}
        for user in self._fleet.inventory.users:
            if user.role in self.roles:
                people.setdefault(user.role, []).append(user)
        return {role: people[role] for role in self.roles if role in people}

    def expand(self, selectors: Iterable[str]) -> tuple[str, ...]:
        """Selectors of a rule by hand, with those of the inventory in the policy's own words.

        A device's name becomes its tag or alias, a tag of the inventory all devices that carry it.
        """
        expanded: list[str] = []
        for selector in selectors:
            kind, _, name = selector.partition(":")
            if selector in self.devices:
                expanded.append(self.devices[selector])
            elif kind == "tag" and name in self._carriers and name not in self.devices:
                expanded += [self.devices[device] for device in self._carriers[name]]
            else:
                expanded.append(selector)
        return tuple(dict.fromkeys(expanded))


def _selector(device: FleetDevice) -> str:
    return device.name if device.device.owner else tag_of(device.name)


def tag_of(device: str) -> str:
    """The tag of a device; tags begin with a letter, as names of devices need not."""
    return f"tag:{device}" if device[0].isalpha() else f"tag:device-{device}"
