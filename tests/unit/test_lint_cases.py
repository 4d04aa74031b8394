"""Broken inventories, one per folder of `tests/cases/lint/`, with what lint says about each.

A case is an `overlay.yaml` over the small fleet in `base/`, or a whole `pais.yaml`, and may bring
stacks of its own. `make golden` rewrites the `expected.txt` files.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from paisctl.pipeline import lint
from paisctl.views.diagnostics import as_text

CASES = Path(__file__).parents[1] / "cases" / "lint"
NAMES = sorted(path.parent.name for path in CASES.glob("*/*.yaml") if path.parent.name != "base")


def lint_case(name: str, project: Path) -> str:
    shutil.copytree(CASES / "base", project, dirs_exist_ok=True)
    shutil.copytree(CASES / name, project, dirs_exist_ok=True)
    overlay = Path("overlay.yaml")
    paths = [Path("pais.yaml"), *([overlay] if overlay.exists() else [])]
    return as_text(lint(paths, shipped=Path()), paths)


@pytest.mark.parametrize("name", NAMES)
def test_lint_says_what_is_expected(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = lint_case(name, tmp_path)
    expected = CASES / name / "expected.txt"
    if os.environ.get("PAISCTL_GOLDEN"):
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text("utf-8")


def test_the_base_fleet_has_no_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(CASES / "base", tmp_path, dirs_exist_ok=True)
    assert not list(lint([Path("pais.yaml")], shipped=Path()))


def test_there_are_forty_cases() -> None:
    assert len(NAMES) >= 40
