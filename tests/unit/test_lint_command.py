from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from paisctl.cli.app import run
from tests.unit.test_lint_cases import CASES

OVERLAY = Path("overlay.yaml")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(CASES / "base", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def lint(*options: str, overlay: str = "") -> int:
    OVERLAY.write_text(overlay or "{}\n", encoding="utf-8")
    return run(["-i", "pais.yaml", "-i", str(OVERLAY), "lint", *options])


ERROR = "devices: {mini: {memroy: 4g}}\n"
WARNING = "stacks: {front: {images: {front: {tag: latest}}}}\n"


@pytest.mark.parametrize(
    ("overlay", "options", "status"),
    [
        ("", [], 0),
        ("", ["--strict"], 0),
        (WARNING, [], 0),
        (WARNING, ["--strict"], 1),
        (ERROR, [], 1),
        (ERROR, ["--format", "json"], 1),
        (ERROR, ["--format", "sarif"], 1),
        (ERROR, ["--format", "github"], 1),
        (ERROR, ["--format", "xml"], 64),
    ],
)
def test_exit_status(overlay: str, options: list[str], status: int) -> None:
    assert lint(*options, overlay=overlay) == status


def test_stdout_carries_the_diagnostics_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lint("--format", "json", overlay=ERROR)
    said = capsys.readouterr()
    assert json.loads(said.out)["summary"] == {"errors": 1, "warnings": 0}
    assert said.err == ""


def test_no_colour_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    lint(overlay=ERROR)
    assert "\x1b" not in capsys.readouterr().out


def test_no_problems_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    lint()
    assert capsys.readouterr().out == "no problems in pais.yaml, overlay.yaml\n"


def test_schema_has_the_settings_of_the_projects_stacks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["-i", "pais.yaml", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert "workers" in schema["$defs"]["stack-front"]["anyOf"][0]["properties"]
