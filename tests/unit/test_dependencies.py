"""What the project asks to be installed is used."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_dependency_is_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {_normal(re.split("[<>=~!;]", each)[0]) for each in project["dependencies"]}
    source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    used = {
        _normal(name)
        for module, names in packages_distributions().items()
        if re.search(rf"\b(import |from |find_spec\(.){re.escape(module)}\b", source)
        for name in names
    }
    assert asked <= used, asked - used


def _normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name.strip()).lower()
