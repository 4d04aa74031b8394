"""Whether devices that were renamed can be told apart from all others."""

from __future__ import annotations

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.load import Fleet, FleetDevice


def check_renames(fleet: Fleet, diagnostics: Diagnostics) -> None:
    """Check that `renamed_from` names no device that is still there, and no two say the same."""
    first: dict[str, FleetDevice] = {}
    for device in fleet.devices.values():
        before = device.device.renamed_from
        if before is None:
            continue
        mark = device.source.mark(("renamed_from",))
        if before in fleet.devices:
            known = fleet.mark("devices", before)
            related = [(f"{before} is here", known)] if known else []
            message = f"{device.name} cannot be renamed from {before}, which is still a device"
            hint = f"remove {before}, or `renamed_from`"
            diagnostics.error("renamed-from", message, mark, hint, related)
            continue
        other = first.setdefault(before, device)
        if other is not device:
            known = other.source.mark(("renamed_from",))
            related = [(f"{other.name} is, too", known)] if known else []
            message = f"{device.name} and {other.name} cannot both be renamed from {before}"
            hint = "one host is one device: keep it at the one that it is now"
            diagnostics.error("renamed-from", message, mark, hint, related)
