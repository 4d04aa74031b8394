"""Whether what an inventory ignores is there to be ignored."""

from __future__ import annotations

from collections.abc import Iterable

from paisctl.desired import StackSpec
from paisctl.diagnostics import Diagnostics, did_you_mean
from paisctl.inventory.ignored import ignored_on
from paisctl.inventory.load import Fleet, FleetDevice
from paisctl.inventory.model import Ignore
from paisctl.inventory.source import Path_
from paisctl.rendering.render import Rendered
from paisctl.resources.compose import OPTIONAL, fields


def check_ignored(fleet: Fleet, rendered: Rendered, diagnostics: Diagnostics) -> None:
    """Compare every `ignore` entry with the stacks of the devices that it is for."""
    for device in fleet.devices.values():
        host = rendered.hosts.get(device.name)
        for path, entry in ignored_on(fleet, device):
            check = _Check(fleet, path, diagnostics)
            if not _is_for(entry, path, device, rendered):
                known = device.device.stacks if path[0] == "devices" else rendered.catalog.stacks
                where = f" on {device.name}" if path[0] == "devices" else ""
                check.refuse(
                    "stack", entry.stack, f"there is no stack `{entry.stack}`{where}", known
                )
            elif host and entry.stack in host.stacks:
                check.within(entry, host.stacks[entry.stack])


def _is_for(entry: Ignore, path: Path_, device: FleetDevice, rendered: Rendered) -> bool:
    """What all devices share may be about a stack that only some of them run."""
    shared = path[0] != "devices" and entry.stack in rendered.catalog.stacks
    return shared or entry.stack in device.device.stacks


class _Check:
    def __init__(self, fleet: Fleet, path: Path_, diagnostics: Diagnostics) -> None:
        self.fleet = fleet
        self.path = path
        self.diagnostics = diagnostics

    def refuse(self, key: str, word: str, message: str, known: Iterable[str]) -> None:
        mark = self.fleet.source.mark((*self.path, key))
        hint = did_you_mean(word, known, f"{key}s")
        self.diagnostics.error("unknown-ignored", message, mark, hint)

    def within(self, entry: Ignore, stack: StackSpec) -> None:
        """Check the part of a stack that an entry is about."""
        if entry.file is not None and entry.file not in stack.files:
            message = f"`{stack.name}` has no file `{entry.file}`"
            self.refuse("file", entry.file, message, stack.files)
        if entry.service is None:
            return
        service = stack.services.get(entry.service)
        if service is None:
            message = f"`{stack.name}` has no service `{entry.service}`"
            self.refuse("service", entry.service, message, stack.services)
            return
        known = {*fields(service, stack.project, ""), *OPTIONAL, "state"}
        if entry.field is not None and entry.field not in known:
            message = f"the service `{service.name}` has no field `{entry.field}`"
            self.refuse("field", entry.field, message, known)
