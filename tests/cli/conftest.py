"""Command lines run in this process, and what they say as one text."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from paisctl.cli.app import run
from tests.golden_files import expect
from tests.simulated.fleet import REPOSITORY

SNAPSHOTS = Path(__file__).parent / "snapshots"
FLEET = REPOSITORY / "tests/cases/plan/fleet"
_SECONDS = re.compile(r"\b[0-9]+\.[0-9] s\b")

Session = Callable[..., str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, and a terminal of 80 columns without colour."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("COLUMNS", "80"), ("NO_COLOR", "1"), ("HOME", str(tmp_path))):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PAISCTL_INVENTORY", raising=False)
    return tmp_path


@pytest.fixture
def reference(here: Path) -> Path:
    """The reference inventory; its bundles are found as those that are shipped."""
    (here / "inventory").mkdir()
    shutil.copy(REPOSITORY / "inventory/pais.yaml", here / "inventory")
    return here


@pytest.fixture
def fleet(here: Path) -> Path:
    """The fleet of the plan cases, as a project with secrets."""
    shutil.copytree(FLEET / "stacks", here / "stacks")
    (here / "inventory").mkdir()
    shutil.copy(FLEET / "inventory.yaml", here / "inventory/pais.yaml")
    secrets = here / "inventory/secrets.yaml"
    secrets.write_text("db_password: correct horse\ndigest_key: key\n")
    secrets.chmod(0o600)
    return here


@pytest.fixture
def session(here: Path, capsys: pytest.CaptureFixture[str]) -> Session:
    """Run command lines in a row and compare what they say with a file of `snapshots/`."""

    def compare(name: str, *lines: str) -> str:
        text = "\n".join(_run(line, here, capsys) for line in lines)
        expect(SNAPSHOTS / f"{name}.txt", text)
        return text

    return compare


def _run(line: str, here: Path, capsys: pytest.CaptureFixture[str]) -> str:
    status = run(shlex.split(line)[1:])
    said = capsys.readouterr()
    parts = [f"$ {line}\n", *_stream("stdout", said.out), *_stream("stderr", said.err)]
    text = "".join([*parts, f"--- exit {status}\n"])
    return _SECONDS.sub("N s", text.replace(str(here), "/here"))


def _stream(name: str, text: str) -> list[str]:
    if not text:
        return []
    return [f"--- {name}\n", text if text.endswith("\n") else f"{text}<no line end>\n"]
