"""Finds bundles: a folder with a `bundle.yaml` under `stacks/` or `templates/` is one.

A project's own folders are looked up first, the ones that paisctl ships with after. No Python
names a bundle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from paisctl.diagnostics import Diagnostics, Mark
from paisctl.inventory.source import Source, read_yaml
from paisctl.inventory.validation import validate
from paisctl.rendering.bundle import ConfigBundle, StackBundle, Variable

B = TypeVar("B", StackBundle, ConfigBundle)


@dataclass(frozen=True)
class Found(Generic[B]):
    """A bundle and the folder it was found in."""

    name: str
    bundle: B
    folder: Path
    source: Source

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the names and bytes of the folder's files: its version."""
        total = hashlib.sha256()
        for path in sorted(p for p in self.folder.rglob("*") if p.is_file()):
            total.update(f"{path.relative_to(self.folder).as_posix()}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
        return total.hexdigest()

    def mark(self, *path: str | int) -> Mark | None:
        return self.source.key_mark(path)


@dataclass(frozen=True)
class Catalog:
    """Every bundle that can be used, by name."""

    stacks: dict[str, Found[StackBundle]] = field(default_factory=dict)
    configs: dict[str, Found[ConfigBundle]] = field(default_factory=dict)


def shipped_bundles() -> Path:
    """The folder that holds the `stacks/` and `templates/` which come with paisctl."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "bundles"
    return installed if installed.is_dir() else package.parents[1]


def load_catalog(roots: Iterable[Path], diagnostics: Diagnostics) -> Catalog:
    """Collect the bundles of several folders; the first one that has a name wins it."""
    catalog = Catalog()
    for root in roots:
        for folder in _folders(root / "stacks"):
            if folder.name not in catalog.stacks:
                stack = _read(folder, StackBundle, diagnostics)
                if stack:
                    catalog.stacks[folder.name] = stack
        for folder in _folders(root / "templates"):
            if folder.name not in catalog.configs:
                config = _read(folder, ConfigBundle, diagnostics)
                if config:
                    catalog.configs[folder.name] = config
    return catalog


def _folders(parent: Path) -> list[Path]:
    return sorted(path.parent for path in parent.glob("*/bundle.yaml"))


def _read(folder: Path, model: type[B], diagnostics: Diagnostics) -> Found[B] | None:
    source = read_yaml(folder / "bundle.yaml", diagnostics)
    if not isinstance(source.data, dict):
        message = f"{folder / 'bundle.yaml'} says nothing"
        diagnostics.error("empty", message, Mark(str(folder / "bundle.yaml"), 1))
        return None
    bundle = validate(model, source, diagnostics)
    return Found(folder.name, bundle, folder, source) if bundle else None


def variables_of(stack: Found[StackBundle], catalog: Catalog) -> dict[str, Variable]:
    """The settings a stack takes: its own, and those of the config bundles that it uses."""
    merged: dict[str, Variable] = {}
    for name in stack.bundle.configs:
        if name in catalog.configs:
            merged |= catalog.configs[name].bundle.vars
    return merged | stack.bundle.vars
