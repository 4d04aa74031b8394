"""Drivers out of bundles' folders."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paisctl.cluster.loading import load_driver
from paisctl.errors import PaisctlError

NAME = "a_driver_of_the_tests"


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    for name in [each for each in sys.modules if each.partition(".")[0] == NAME]:
        del sys.modules[name]


def bundle(folder: Path, **files: str) -> Path:
    (folder / NAME).mkdir(parents=True)
    for name, text in files.items():
        (folder / NAME / f"{name}.py").write_text(text)
    return folder


def test_its_modules_find_each_other(tmp_path: Path) -> None:
    own = bundle(tmp_path, __init__=f"from {NAME}.other import ANSWER", other="ANSWER = 42")
    driver = load_driver(own, NAME)
    assert driver.ANSWER == 42
    assert load_driver(own, NAME) is driver


def test_a_projects_own_takes_the_place_of_another_ones(tmp_path: Path) -> None:
    for name in ("shipped", "own"):
        bundle(tmp_path / name, __init__=f"from {NAME}.other import WHO", other=f"WHO = '{name}'")
    assert load_driver(tmp_path / "shipped", NAME).WHO == "shipped"
    assert load_driver(tmp_path / "own", NAME).WHO == "own"


def test_one_that_is_missing_or_broken_is_said(tmp_path: Path) -> None:
    with pytest.raises(PaisctlError, match="has no driver"):
        load_driver(tmp_path, NAME)
    broken = bundle(tmp_path / "broken", __init__="import nothing_of_the_kind")
    with pytest.raises(PaisctlError, match=r"cannot be imported: No module named"):
        load_driver(broken, NAME)
    assert NAME not in sys.modules
