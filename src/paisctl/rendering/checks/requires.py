"""Whether a device is and has what a stack needs."""

from __future__ import annotations

from collections.abc import Iterable

from paisctl.diagnostics import Diagnostics, Mark
from paisctl.inventory.load import Fleet
from paisctl.inventory.types import format_size
from paisctl.rendering.instances import Instance


def check_requires(instance: Instance, fleet: Fleet, diagnostics: Diagnostics) -> None:
    """Compare `requires` of a bundle with the device."""
    _Requirements(instance, fleet, diagnostics).check()


class _Requirements:
    def __init__(self, instance: Instance, fleet: Fleet, diagnostics: Diagnostics) -> None:
        self.instance = instance
        self.fleet = fleet
        self.diagnostics = diagnostics
        # What was wrong in the inventory has a stand-in here; judging it would only confuse.
        self.said = instance.device.source.data
        self.lacking: list[str] = []
        self.related: list[tuple[str, Mark]] = []

    def check(self) -> None:
        device, requires = self.instance.device.device, self.instance.stack.bundle.requires
        if "arch" in self.said:
            self._one_of("arch", device.arch, requires.arch, "arch")
        vendor = device.gpu.vendor if device.gpu else "none"
        self._one_of("gpu", vendor, requires.gpu, "gpu")
        if device.kind in self.fleet.inventory.kinds:
            self._one_of("kinds", device.kind, requires.kinds, "kind")
            self._one_of("os", self.instance.device.kind.os, requires.os, "kind")
        if requires.memory and device.memory < requires.memory:
            wanted, has = format_size(requires.memory), format_size(device.memory)
            self._lack(f"at least {wanted} of RAM (it has {has})", "memory", "memory")
        for tag in requires.tags or []:
            if tag not in device.tags:
                self._lack(f"the tag {tag}", "tags", "tags")
        self._report()

    def _one_of(self, key: str, value: str, allowed: Iterable[str] | None, setting: str) -> None:
        if allowed is not None and value not in allowed:
            self._lack(f"{_NOUNS[key]} {' or '.join(allowed)} (it has {value})", key, setting)

    def _lack(self, wanted: str, key: str, setting: str) -> None:
        self.lacking.append(wanted)
        required = self.instance.stack.mark("requires", key)
        has = self.instance.device.source.mark((setting,)) if setting in self.said else None
        places = [("required here", required), (f"{self.instance.device.name} says", has)]
        self.related += [(words, mark) for words, mark in places if mark]

    def _report(self) -> None:
        if self.lacking:
            name, device = self.instance.name, self.instance.device.name
            self.diagnostics.error(
                "requires",
                f"`{name}` cannot run on {device}; it needs {', '.join(self.lacking)}",
                self.instance.mark,
                f"move `{name}` to another device",
                self.related,
            )


_NOUNS = {
    "arch": "the architecture",
    "gpu": "a GPU of",
    "kinds": "the device kind",
    "os": "the system",
}
