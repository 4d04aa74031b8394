"""One device as resolved: every setting, with the place it came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from paisctl.diagnostics import Mark
from paisctl.inventory.ignored import ignored_on
from paisctl.inventory.load import Fleet, FleetDevice
from paisctl.inventory.types import format_size
from paisctl.rendering.graph import Graph
from paisctl.rendering.instances import Instance
from paisctl.secrets import describe
from paisctl.views.console import render

_Line = tuple[int, str, str]


def as_text(fleet: Fleet, graph: Graph, name: str) -> str:
    """The settings of a device and of the stacks it runs, as YAML with comments."""
    device = fleet.devices[name]
    lines: list[_Line] = [(0, f"{name}:", "")]
    settings = device.device.model_dump(exclude={"stacks", "ignore"})
    settings["memory"] = format_size(device.device.memory)
    lines += _mapping(settings, device, (), 1)
    lines += _ignored(fleet, device)
    lines.append((1, "stacks:", ""))
    for instance in graph.instances.values():
        if instance.device.name == name:
            lines += _instance(instance)
    texts = [("  " * depth + text, origin) for depth, text, origin in lines]
    column = min(max(len(text) for text, _ in texts) + 2, 48)
    return render(
        Text.assemble(
            f"{text:{column}} " if origin else text, (f"# {origin}" if origin else "", "dim")
        )
        for text, origin in texts
    )


def _mapping(
    values: Mapping[str, Any], device: FleetDevice, path: tuple[str, ...], depth: int
) -> Iterator[_Line]:
    for key, value in values.items():
        if value is None or value in ([], {}):
            continue
        here = (*path, key)
        if isinstance(value, dict):
            inner = list(_mapping(value, device, here, depth + 1))
            yield from [(depth, f"{key}:", ""), *inner] if inner else []
        else:
            mark = device.source.values.get(here)
            yield (depth, f"{key}: {_yaml(value)}", _origin(mark, "default"))


def _ignored(fleet: Fleet, device: FleetDevice) -> Iterator[_Line]:
    """The differences that are left alone: those of defaults, kind and device."""
    entries = list(ignored_on(fleet, device))
    if entries:
        yield (1, "ignore:", "")
    for path, entry in entries:
        said = _yaml(entry.model_dump(exclude_none=True))
        yield (2, f"- {said}", _origin(fleet.source.mark(path), ""))


def _instance(instance: Instance) -> Iterator[_Line]:
    yield (2, f"{instance.name}:", _origin(instance.mark, ""))
    for name, setting in instance.settings.items():
        value = instance.vars.get(name, setting.value)
        yield (3, f"{name}: {_yaml(value)}", _origin(setting.mark, f"bundle {instance.name}"))


def _yaml(value: Any) -> str:
    """A value on one line, with secrets as names."""
    if isinstance(value, dict | list | bool):
        return describe(json.dumps(value, ensure_ascii=False))
    return describe(str(value))


def _origin(mark: Mark | None, otherwise: str) -> str:
    return f"{mark.file}:{mark.line}" if mark else otherwise
