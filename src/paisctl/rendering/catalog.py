"""Finds bundles: a folder with a `bundle.yaml` under `stacks/` or `templates/` is one.

A project's own folders are looked up first, the ones that paisctl ships with after. No Python
names a bundle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from paisctl.diagnostics import Diagnostics, Mark, did_you_mean
from paisctl.inventory.source import Source, read_yaml
from paisctl.inventory.validation import validate
from paisctl.rendering.bundle import ConfigBundle, StackBundle, Variable
from paisctl.rendering.consistency import check_bundle

_PROGRAMS = (".py", ".pyc")  # of the driver, which runs here and not on a host

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
        """SHA-256 over the names and bytes of what is rendered from the folder: its version."""
        total = hashlib.sha256()
        for path in sorted(p for p in self.folder.rglob("*") if p.is_file()):
            if path.suffix in _PROGRAMS:
                continue
            total.update(f"{path.relative_to(self.folder).as_posix()}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
        return total.hexdigest()

    def mark(self, *path: str | int) -> Mark | None:
        return self.source.key_mark(path)


@dataclass(frozen=True)
class Catalog:
    """Every bundle that can be used, by name, and the stacks that have problems."""

    stacks: dict[str, Found[StackBundle]] = field(default_factory=dict)
    configs: dict[str, Found[ConfigBundle]] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()


def shipped_bundles() -> Path:
    """The folder that holds the `stacks/` and `templates/` which come with paisctl."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "bundles"
    return installed if installed.is_dir() else package.parents[1]


def bundle_folders(inventories: Sequence[Path], shipped: Path | None = None) -> list[Path]:
    """The folders whose `stacks/` and `templates/` are looked in, the first one first.

    They are each inventory file's own folder and the one above, those of the last overlay first,
    and then the folder that comes with paisctl, or `shipped` in its place.
    """
    own = [folder for p in reversed(inventories) for folder in (p.parent, p.parent.parent)]
    return list(dict.fromkeys([*own, shipped or shipped_bundles()]))


def load_catalog(roots: Iterable[Path], diagnostics: Diagnostics) -> Catalog:
    """Collect the bundles of several folders; the first one that has a name wins it."""
    stacks: _Shelf[StackBundle] = _Shelf(StackBundle)
    configs: _Shelf[ConfigBundle] = _Shelf(ConfigBundle)
    for root in roots:
        stacks.fill(root / "stacks", diagnostics)
        configs.fill(root / "templates", diagnostics)
    for stack in list(stacks.usable.values()):
        if not _check_configs(stack, configs, diagnostics):
            del stacks.usable[stack.name]
            stacks.broken.add(stack.name)
    return Catalog(stacks.usable, configs.usable, frozenset(stacks.broken))


class _Shelf(Generic[B]):
    """The bundles of one sort that were found so far."""

    def __init__(self, model: type[B]) -> None:
        self.model: type[B] = model
        self.usable: dict[str, Found[B]] = {}
        self.broken: set[str] = set()

    def fill(self, parent: Path, diagnostics: Diagnostics) -> None:
        for folder in _folders(parent):
            if folder.name in self.usable or folder.name in self.broken:
                continue
            found = _read(folder, self.model, diagnostics)
            if found and check_bundle(found.bundle, found.folder, found.source, diagnostics):
                self.usable[folder.name] = found
            else:
                self.broken.add(folder.name)


def _check_configs(
    stack: Found[StackBundle], configs: _Shelf[ConfigBundle], diagnostics: Diagnostics
) -> bool:
    missing = [name for name in stack.bundle.configs if name not in configs.usable]
    for name in missing:
        if name not in configs.broken:
            diagnostics.error(
                "unknown-config",
                f"there is no config bundle `{name}`",
                stack.source.mark(("configs", stack.bundle.configs.index(name))),
                did_you_mean(name, configs.usable, "config bundles"),
            )
    return not missing


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
