"""Inventory files to a fleet: read, overlay, check against the model, resolve each device.

Precedence of a device's settings, the most specific last: the inventory's `defaults`, its kind
(built in, then the inventory's `kinds`), the device itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from paisctl.diagnostics import Diagnostics, Mark, did_you_mean
from paisctl.inventory.model import Device, Inventory, Kind
from paisctl.inventory.repair import DEVICE_STAND_INS, repair
from paisctl.inventory.source import Path_, Source, merge, parse_yaml, read_yaml
from paisctl.inventory.validation import validate

BUILT_IN = ("kinds", "roles")  # sections that every inventory begins with
MAX_RESOLVED = 200_000  # values of `defaults`, `kinds` and `stacks`, over all devices


@dataclass(frozen=True, slots=True)
class FleetDevice:
    """One device, resolved. `source` holds its settings with the place each one came from."""

    name: str
    device: Device
    kind: Kind
    source: Source

    def mark(self, *path: str | int) -> Mark | None:
        """Where the setting at `path` (below the device) was written."""
        return self.source.key_mark(path)


@dataclass(frozen=True, slots=True)
class Fleet:
    """A whole inventory, checked and resolved. `directory` is where its main file lies."""

    inventory: Inventory
    source: Source
    devices: dict[str, FleetDevice]
    directory: Path

    @property
    def secrets_file(self) -> Path:
        """The file that keeps the secret values."""
        return self.directory / self.inventory.secrets_file

    def called(self, name: str) -> str | None:
        """The device that a name, a name in the tailnet's DNS, or an address is that of."""
        short = name.removesuffix(f".{self.inventory.tailnet.dns_name}")
        if short in self.devices:
            return short
        found = (d.name for d in self.devices.values() if d.device.address == name)
        return next(found, None)

    def has(self, section: str) -> bool:
        """Whether a section is as it was written: one with mistakes in it may have been left out."""
        return section in self.source.data or (section,) not in self.source.values

    def mark(self, *path: str | int) -> Mark | None:
        """Where the key at `path` in the merged inventory was written."""
        return self.source.key_mark(path)


def load(
    paths: Sequence[Path],
    diagnostics: Diagnostics,
    texts: Mapping[Path, str] = MappingProxyType({}),
) -> Fleet | None:
    """Load an inventory and its overlays, the first file lowest.

    Args:
        paths: the files.
        diagnostics: told of every problem.
        texts: what to take for the text of some files, as they may become.

    Returns:
        The fleet, or None when there is nothing to look at. When `diagnostics` has errors, a fleet
        that is returned anyway is only good for finding more of them.
    """
    built_in = _built_in(Mark(str(paths[0]), 1), diagnostics)
    source = built_in
    for path in paths:
        source = merge(source, _read_layer(path, texts.get(path), diagnostics))
    if diagnostics.errors and "devices" not in source.data:
        return None
    inventory = validate(Inventory, source, diagnostics)
    if inventory is None:
        inventory, source = repair(source)
        if any(section not in source.data for section in BUILT_IN):
            inventory, source = repair(merge(built_in, source))
    _refuse_unknown_kinds(inventory, source, diagnostics)
    return Fleet(inventory, source, _resolve(inventory, source, diagnostics), paths[0].parent)


def _read_layer(path: Path, text: str | None, diagnostics: Diagnostics) -> Source:
    """What one file says; nothing, after adding a diagnostic, if it is no inventory."""
    if text is None:
        layer = read_yaml(path, diagnostics)
    else:
        layer = parse_yaml(text, str(path), diagnostics)
    if isinstance(layer.data, dict):
        return layer
    if layer.data is not None:
        message = "an inventory is a mapping: `key: value` lines"
        diagnostics.error("wrong-type", message, layer.mark(()))
    elif not _is_blamed(path, diagnostics):
        diagnostics.error("empty", f"{path} says nothing", Mark(str(path), 1))
    return Source({})


def _resolve(
    inventory: Inventory, source: Source, diagnostics: Diagnostics
) -> dict[str, FleetDevice]:
    """Each device with the settings of its kind and the defaults; what is wrong is left out."""
    defaults = _settings(_below(source, ("defaults",)))
    kinds = _parts(source, "kinds")
    used = {device.kind for device in inventory.devices.values()}
    # What a device starts from: the defaults, with its kind's settings over them.
    bases = {kind: merge(defaults, _settings(kinds.get(kind, Source({})))) for kind in used}
    if _is_too_much(inventory, source, bases, diagnostics):
        return {}
    devices = {}
    for name, own in _parts(source, "devices").items():
        kind = inventory.devices[name].kind
        layers = merge(bases[kind], own)
        # Stand-ins are for a device that was repaired; a whole one overrides them all.
        whole = Source(DEVICE_STAND_INS | layers.data, layers.values, layers.keys)
        resolved = validate(Device, whole, diagnostics)
        if resolved:
            known = inventory.kinds.get(kind) or Kind.model_validate({})
            devices[name] = FleetDevice(name, resolved, known, layers)
    return devices


def _is_too_much(
    inventory: Inventory, source: Source, bases: Mapping[str, Source], diagnostics: Diagnostics
) -> bool:
    """Whether what all devices share, counted once for each of them, is out of bounds."""
    shared = Counter(path[1] for path in source.values if len(path) > 1 and path[0] == "stacks")
    total = sum(
        len(bases[device.kind].values) + sum(shared[stack] for stack in device.stacks)
        for device in inventory.devices.values()
    )
    if total > MAX_RESOLVED:
        message = f"what devices share comes to more than {MAX_RESOLVED:,} values over all of them"
        hint = "fewer settings under `defaults`, `kinds` and `stacks`, or fewer devices"
        diagnostics.error("too-large", message, source.key_mark(("devices",)), hint)
    return total > MAX_RESOLVED


def _is_blamed(path: Path, diagnostics: Diagnostics) -> bool:
    return any(item.mark and item.mark.file == str(path) for item in diagnostics.errors)


def _built_in(mark: Mark, diagnostics: Diagnostics) -> Source:
    """What every inventory begins with. `mark` is of what has no place of its own."""
    source = Source({}, {(): mark}, {})
    for section in BUILT_IN:
        name = f"{section}.yaml"
        text = resources.files("paisctl.inventory").joinpath(name).read_text("utf-8")
        part = parse_yaml(text, f"(built in) {name}", diagnostics)
        source = merge(source, _under(section, part))
    return source


def _refuse_unknown_kinds(inventory: Inventory, source: Source, diagnostics: Diagnostics) -> None:
    for name, device in inventory.devices.items():
        if device.kind not in inventory.kinds:
            diagnostics.error(
                "unknown-kind",
                f"unknown device kind `{device.kind}`",
                source.mark(("devices", name, "kind")),
                did_you_mean(device.kind, inventory.kinds, "kinds"),
            )


def _settings(part: Source) -> Source:
    """A kind or the defaults, without the keys that describe a kind itself."""
    if isinstance(part.data, dict):
        part.data = {k: v for k, v in part.data.items() if k not in ("description", "os")}
    return part


def _below(source: Source, path: Path_) -> Source:
    data = source.data
    for step in path:
        data = data.get(step, {}) if isinstance(data, dict) else {}
    depth = len(path)
    values = {p[depth:]: m for p, m in source.values.items() if p[:depth] == path}
    keys = {p[depth:]: m for p, m in source.keys.items() if p[:depth] == path and len(p) > depth}
    return Source(data, values, keys)


def _parts(source: Source, section: str) -> dict[str, Source]:
    """What lies below each key of a section, found in one walk over the marks.

    A key that was wrong has marks still, but no data any more.
    """
    parts = {name: Source(data) for name, data in source.data.get(section, {}).items()}
    for path, mark in source.values.items():
        if len(path) > 1 and path[0] == section and path[1] in parts:
            parts[str(path[1])].values[path[2:]] = mark
    for path, mark in source.keys.items():
        if len(path) > 2 and path[0] == section and path[1] in parts:
            parts[str(path[1])].keys[path[2:]] = mark
    return parts


def _under(key: str, source: Source) -> Source:
    values = {(key, *p): m for p, m in source.values.items()}
    return Source({key: source.data}, values, {(key, *p): m for p, m in source.keys.items()})
