"""Finds the driver that a bundle ships: a Python package in the bundle's folder."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from paisctl.errors import PaisctlError


def load_driver(folder: Path, name: str) -> ModuleType:
    """Import a bundle's driver; the same folder gives the same module.

    Args:
        folder: the bundle's.
        name: the package in it.

    Raises:
        PaisctlError: there is none, or it cannot be imported.
    """
    origin = folder / name / "__init__.py"
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(origin):
        return loaded
    spec = importlib.util.spec_from_file_location(
        name, origin, submodule_search_locations=[str(origin.parent)]
    )
    if spec is None or spec.loader is None or not origin.is_file():
        raise PaisctlError(f"{folder} has no driver {name}: there is no {origin}")
    for stale in [each for each in sys.modules if each.partition(".")[0] == name]:
        del sys.modules[stale]  # of another folder's bundle
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise PaisctlError(f"the driver {origin} cannot be imported: {error}") from error
    return module
