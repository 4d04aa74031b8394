"""The script that pulls the declared models, with a fake `ollama` that keeps a list of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.unit.bundles.conftest import REPOSITORY

FAKE_OLLAMA = """#!/bin/sh
echo "$*" >>"$LOG"
case "$1" in
show) grep -qx "$2" "$STORE" ;;
pull) [ "$2" != no-such-model ] && echo "$2" >>"$STORE" ;;
esac
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    script = REPOSITORY / "stacks" / "embeddings" / "models.sh"
    (tmp_path / "models.sh").write_bytes(script.read_bytes())
    (tmp_path / "ollama").write_text(FAKE_OLLAMA)
    (tmp_path / "ollama").chmod(0o755)
    (tmp_path / "store").touch()
    (tmp_path / "log").touch()
    return tmp_path


def ollama_models(folder: Path, verb: str, *declared: str) -> tuple[int, list[str]]:
    (folder / "models.txt").write_text("".join(f"{model}\n" for model in declared))
    (folder / "log").write_text("")
    path = f"{folder}:{os.environ['PATH']}"
    environment = {"PATH": path, "LOG": str(folder / "log"), "STORE": str(folder / "store")}
    done = subprocess.run(
        ["sh", folder / "models.sh", verb], env=environment, capture_output=True, check=False
    )
    return done.returncode, (folder / "log").read_text().splitlines()


def test_missing_models_are_pulled_and_others_left_alone(models: Path) -> None:
    (models / "store").write_text("nomic-embed-text\n")
    status, calls = ollama_models(models, "pull", "nomic-embed-text", "bge-m3:567m")
    assert status == 0
    assert calls == ["show nomic-embed-text", "show bge-m3:567m", "pull bge-m3:567m"]
    assert ollama_models(models, "check", "nomic-embed-text", "bge-m3:567m")[0] == 0
    assert ollama_models(models, "pull", "bge-m3:567m")[1] == ["show bge-m3:567m"]


def test_a_model_that_cannot_be_pulled_is_a_failure(models: Path) -> None:
    assert ollama_models(models, "pull", "no-such-model", "bge-m3:567m")[0] == 1


def test_the_check_pulls_nothing(models: Path) -> None:
    status, calls = ollama_models(models, "check", "bge-m3:567m")
    assert (status, calls) == (1, ["show bge-m3:567m"])
