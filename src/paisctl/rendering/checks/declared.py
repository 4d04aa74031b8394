"""What the inventory declares of a stack on some of its devices: that there is such a stack, and they run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paisctl.diagnostics import Diagnostics, did_you_mean
from paisctl.inventory.load import Fleet
from paisctl.rendering.bundle import StackBundle
from paisctl.rendering.catalog import Catalog, Found
from paisctl.rendering.enabled import SETTING
from paisctl.rendering.instances import Instance


class DeclaredCheck:
    """Checks one entry of a section.

    Args:
        fleet: the inventory.
        section: the section's key: `rollouts`.
        name: the entry's.
        diagnostics: where problems go.
    """

    def __init__(self, fleet: Fleet, section: str, name: str, diagnostics: Diagnostics) -> None:
        self.fleet = fleet
        self.section = section
        self.name = name
        self.diagnostics = diagnostics

    def find(self, stack: str, catalog: Catalog) -> Found[StackBundle] | None:
        """The stack; None, after a report, when there is none that can be used."""
        found = catalog.stacks.get(stack)
        if found is None and stack not in catalog.broken:
            hint = did_you_mean(stack, catalog.stacks, "stacks")
            self.error("unknown-stack", f"unknown stack `{stack}`", "stack", hint=hint)
        return found

    def members(
        self, stack: str, devices: Sequence[str] | None, running: Mapping[str, Instance]
    ) -> None:
        """Check the devices: each is known, runs the stack, and stands there once."""
        for position, device in enumerate(devices or ()):
            if device not in self.fleet.devices:
                self.unknown_device(device, "devices", position)
            elif stack not in self.fleet.devices[device].device.stacks:
                hint = f"it runs on {', '.join(running) or 'no device'}"
                message = f"{device} does not run `{stack}`"
                self.error("not-a-member", message, "devices", position, hint=hint)
            elif device in (devices or ())[:position]:
                self.error("duplicate-member", f"{device} stands here twice", "devices", position)
        for device, instance in running.items():
            if device in (devices or running):
                self._awake(device, instance)
        if not devices and not running:
            hint = f"take it out of `{self.section}`, or give the stack to a device"
            self.error("no-members", f"no device runs `{stack}`", "stack", hint=hint)

    def _awake(self, device: str, instance: Instance) -> None:
        if SETTING not in instance.settings or not instance.enabled.is_any_off:
            return
        mark = instance.settings[SETTING].mark
        related = [("it is disabled here", mark)] if mark else []
        self.diagnostics.error(
            "resting-member",
            f"`{instance.name}` on {device} is not enabled, but is a member of `{self.name}`",
            self.fleet.mark(self.section, self.name),
            f"enable it, or leave {device} out: `devices: […]` under `{self.section}: {self.name}`",
            related,
        )

    def unknown_device(self, device: str, *at: str | int) -> None:
        """Report a device that the inventory does not have."""
        hint = did_you_mean(device, self.fleet.devices, "devices")
        self.error("unknown-device", f"unknown device `{device}`", *at, hint=hint)

    def error(self, code: str, message: str, *at: str | int, hint: str | None = None) -> None:
        """Report a problem at a place below the entry."""
        mark = self.fleet.mark(self.section, self.name, *at)
        self.diagnostics.error(code, message, mark, hint)

    def warning(self, code: str, message: str, *at: str | int, hint: str | None = None) -> None:
        """Report what is no error at a place below the entry."""
        mark = self.fleet.mark(self.section, self.name, *at)
        self.diagnostics.warning(code, message, mark, hint)
