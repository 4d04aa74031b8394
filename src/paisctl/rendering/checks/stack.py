"""A stack on a host as checks look at it, and how they find the line a person must edit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from paisctl.desired import StackSpec
from paisctl.diagnostics import Mark
from paisctl.inventory.load import Fleet
from paisctl.inventory.source import Path_
from paisctl.rendering.bundle import ConfigBundle
from paisctl.rendering.catalog import Found
from paisctl.rendering.compose import COMPOSE_FILE
from paisctl.rendering.instances import Instance
from paisctl.rendering.render import Rendered

COMMENT = re.compile(r"\s*(?:#|//|;|\{#)")


@dataclass(frozen=True)
class Stack:
    """One stack on one host: what it was resolved from, what it became, and its Compose file."""

    fleet: Fleet
    instance: Instance
    spec: StackSpec
    document: Mapping[str, Any]
    configs: tuple[Found[ConfigBundle], ...]

    @property
    def title(self) -> str:
        return f"`{self.instance.name}` on {self.instance.device.name}"

    def blame(self, needle: str) -> Mark | None:
        """Where a text that was rendered was written.

        In the inventory if a setting of the stack holds it, else in a template, else the line that
        puts the stack on the device.
        """
        name, device = self.instance.name, self.instance.device.name
        for base in (("devices", device, "stacks", name), ("stacks", name)):
            for path in _holding(needle, self.fleet.source.data, base):
                written = self.fleet.source
                return written.key_mark(path) if path[-1] == needle else written.mark(path)
        folders = [self.instance.stack.folder, *(config.folder for config in self.configs)]
        for folder in folders:
            for mark in _lines(folder, needle):
                return mark
        return self.instance.mark


def stacks_of(fleet: Fleet, rendered: Rendered) -> list[Stack]:
    """Every stack that could be rendered, in the inventory's order."""
    found = []
    for (device, name), instance in rendered.graph.instances.items():
        host = rendered.hosts.get(device)
        spec = host.stacks.get(name) if host else None
        if spec:
            document = yaml.load(spec.files[COMPOSE_FILE].content, Loader=yaml.CSafeLoader)
            names = instance.stack.bundle.configs
            configs = tuple(rendered.catalog.configs[each] for each in names)
            found.append(Stack(fleet, instance, spec, document, configs))
    return found


def _holding(needle: str, data: Any, path: Path_) -> Iterator[Path_]:
    for step in path:
        data = data.get(step) if isinstance(data, dict) else None
    yield from _below(needle, data, path)


def _below(needle: str, data: Any, path: Path_) -> Iterator[Path_]:
    if isinstance(data, dict):
        for key, value in data.items():
            if key == needle:
                yield (*path, key)
            yield from _below(needle, value, (*path, key))
    elif isinstance(data, list):
        for position, value in enumerate(data):
            yield from _below(needle, value, (*path, position))
    elif isinstance(data, str) and needle in data:
        yield path


def _lines(folder: Path, needle: str) -> Iterator[Mark]:
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
            column = line.find(needle)
            if column >= 0 and not COMMENT.match(line):
                yield Mark(str(file), number, column + 1, len(needle))
