"""A lab that is brought up again while its overlay is in use, and what is said to type next."""

from __future__ import annotations

from pathlib import Path

import pytest

from paisctl.cli.context import Settings
from paisctl.cli.lab import _plan_command, _real_fleet


def test_a_lab_is_made_from_the_real_fleet_not_from_its_own_overlay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    more = tmp_path / "more.yaml"
    given = Settings((Path("pais.yaml"), Path("./lab/overlay.yaml"), more))
    fleet = _real_fleet(given, tmp_path / "lab/overlay.yaml")
    assert fleet.given == (Path("pais.yaml"), more)
    next_command = _plan_command([*fleet.given, tmp_path / "lab/overlay.yaml"])
    assert next_command == "paisctl -i pais.yaml -i more.yaml -i lab/overlay.yaml plan"
