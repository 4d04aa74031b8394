"""Which differences a device's inventory leaves alone."""

from __future__ import annotations

from collections.abc import Iterator

from paisctl.inventory.load import Fleet, FleetDevice
from paisctl.inventory.model import Ignore
from paisctl.inventory.source import Path_


def ignored_on(fleet: Fleet, device: FleetDevice) -> Iterator[tuple[Path_, Ignore]]:
    """The entries for a device, each with its place in the inventory.

    Those of the defaults, of the device's kind and of the device itself add up: each has its own
    reason, so none replaces another.
    """
    inventory, kind = fleet.inventory, device.device.kind
    own = inventory.devices[device.name]
    for path, settings in (
        (("defaults",), inventory.defaults),
        (("kinds", kind), inventory.kinds.get(kind)),
        (("devices", device.name), own),
    ):
        for position, entry in enumerate(settings.ignore if settings else ()):
            yield (*path, "ignore", position), entry
