"""Inventory files to a fleet: read, overlay, check against the model, resolve each device.

Precedence of a device's settings, the most specific last: the inventory's `defaults`, its kind
(built in, then the inventory's `kinds`), the device itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from paisctl.diagnostics import Diagnostics, Mark, did_you_mean
from paisctl.inventory.model import Device, Inventory, Kind
from paisctl.inventory.source import Path_, Source, merge, parse_yaml, read_yaml
from paisctl.inventory.validation import validate

BUILT_IN_KINDS = "(built in) kinds.yaml"


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

    def mark(self, *path: str | int) -> Mark | None:
        """Where the key at `path` in the merged inventory was written."""
        return self.source.key_mark(path)


def load(paths: Sequence[Path], diagnostics: Diagnostics) -> Fleet | None:
    """Load an inventory and its overlays, the first file lowest.

    Returns:
        The fleet, or None when it cannot be used; `diagnostics` then has errors.
    """
    source = Source({"kinds": {}}, {(): Mark(str(paths[0]), 1)}, {})
    source = merge(source, _under("kinds", _built_in_kinds(diagnostics)))
    for path in paths:
        layer = read_yaml(path, diagnostics)
        if layer.data is None:
            diagnostics.error("empty", f"{path} says nothing", Mark(str(path), 1))
        elif not isinstance(layer.data, dict):
            diagnostics.error("wrong-type", "an inventory is a mapping", layer.mark(()))
        else:
            source = merge(source, layer)
    if diagnostics.errors and "devices" not in source.data:
        return None
    inventory = _validate_entries(source, diagnostics)
    if inventory is None:
        return None
    devices = {}
    for name, device in inventory.devices.items():
        resolved = _resolve(name, device, inventory, source, diagnostics)
        if resolved:
            devices[name] = resolved
    return Fleet(inventory, source, devices, paths[0].parent)


def _validate_entries(source: Source, diagnostics: Diagnostics) -> Inventory | None:
    """Check the whole; go on without the devices, kinds and secrets that are wrong.

    So one bad device does not hide what is wrong with the others.
    """
    found = Diagnostics()
    inventory = validate(Inventory, source, found)
    diagnostics.items.extend(found)
    if inventory is not None:
        return inventory
    rest = Source(dict(source.data), source.values, source.keys)
    for section in ("devices", "kinds", "secrets", "tags"):
        entries = source.data.get(section)
        annotation = Inventory.model_fields[section].annotation
        if isinstance(entries, dict):
            rest.data[section] = {n: e for n, e in entries.items() if _is_valid(annotation, {n: e})}
    return validate(Inventory, rest, Diagnostics())


def _is_valid(annotation: Any, value: Any) -> bool:
    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        return False
    return True


def _built_in_kinds(diagnostics: Diagnostics) -> Source:
    text = resources.files("paisctl.inventory").joinpath("kinds.yaml").read_text("utf-8")
    return parse_yaml(text, BUILT_IN_KINDS, diagnostics)


def _resolve(
    name: str, device: Device, inventory: Inventory, source: Source, diagnostics: Diagnostics
) -> FleetDevice | None:
    kind = inventory.kinds.get(device.kind)
    if kind is None:
        diagnostics.error(
            "unknown-kind",
            f"unknown device kind `{device.kind}`",
            source.mark(("devices", name, "kind")),
            did_you_mean(device.kind, inventory.kinds, "kinds"),
        )
        return None
    layers = Source({}, {}, {})
    for path in (("defaults",), ("kinds", device.kind)):
        layers = merge(layers, _settings(source, path))
    layers = merge(layers, _below(source, ("devices", name)))
    resolved = validate(Device, layers, diagnostics)
    return FleetDevice(name, resolved, kind, layers) if resolved else None


def _settings(source: Source, path: Path_) -> Source:
    """The part of a source at `path`, without the keys that describe a kind itself."""
    part = _below(source, path)
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


def _under(key: str, source: Source) -> Source:
    values = {(key, *p): m for p, m in source.values.items()}
    return Source({key: source.data}, values, {(key, *p): m for p, m in source.keys.items()})
