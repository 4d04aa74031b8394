"""What `paisctl lab up` says to type next."""

from __future__ import annotations

from pathlib import Path

import pytest

from paisctl.cli.lab import _plan_command


def test_an_overlay_that_is_in_use_already_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [Path("pais.yaml"), Path("./lab/overlay.yaml"), tmp_path / "lab/overlay.yaml"]
    assert _plan_command(given) == "paisctl -i pais.yaml -i lab/overlay.yaml plan"
