"""Broken inventories, one per folder of `tests/cases/lint/`, with what lint says about each.

A case is an `overlay.yaml` over the small fleet in `base/`, or a whole `pais.yaml`, and may bring
stacks of its own. `make golden` rewrites the `expected.txt` files.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from paisctl.diagnostics import Diagnostics
from paisctl.pipeline import lint
from paisctl.views.diagnostics import as_text
from tests.golden_files import expect

CASES = Path(__file__).parents[1] / "cases" / "lint"
NAMES = sorted(path.parent.name for path in CASES.glob("*/*.yaml") if path.parent.name != "base")


def find_problems(name: str, project: Path) -> Diagnostics:
    """Lint a case in a folder of its own, which must be the working directory."""
    shutil.copytree(CASES / "base", project, dirs_exist_ok=True)
    shutil.copytree(CASES / name, project, dirs_exist_ok=True)
    return lint(paths_in(project), shipped=Path())


def paths_in(project: Path) -> list[Path]:
    overlays = [Path("overlay.yaml")] if (project / "overlay.yaml").exists() else []
    return [Path("pais.yaml"), *overlays]


def lint_case(name: str, project: Path) -> str:
    found = find_problems(name, project)
    return as_text(found, paths_in(project))


@pytest.mark.parametrize("name", NAMES)
def test_lint_says_what_is_expected(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = lint_case(name, tmp_path)
    expect(CASES / name / "expected.txt", said)


def test_the_base_fleet_has_no_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(CASES / "base", tmp_path, dirs_exist_ok=True)
    assert not list(lint([Path("pais.yaml")], shipped=Path()))


def test_there_are_forty_cases() -> None:
    assert len(NAMES) >= 40
