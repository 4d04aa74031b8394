"""Whatever stands in the files of a project, lint answers: at a place, soon, and without harm.

`PAISCTL_FUZZ=100` tries a hundred times as much.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from paisctl.diagnostics import Diagnostics
from paisctl.errors import PaisctlError
from paisctl.inventory.text import MAX_BYTES
from paisctl.pipeline import lint
from paisctl.secrets import load_vault
from paisctl.views import diagnostics as view
from tests.properties.hostile import (
    EFFORT,
    SCRAPS,
    WRONG,
    edited,
    edits,
    effort,
    paths,
    replaced,
    scraps,
    shapes,
)
from tests.properties.strategies import as_yaml

BASE = Path(__file__).parents[1] / "cases" / "lint" / "base"
PAIS = (BASE / "pais.yaml").read_bytes()
PEOPLE = (Path(__file__).parent / "people.yaml").read_bytes()
# The files of the project that a person edits, but for the inventory itself.
PARTS = ["stacks/store/bundle.yaml", "stacks/store/compose.yaml.j2", "stacks/front/front.ini.j2"]
SECONDS, MEMORY = 40, 1024**3  # what one file may cost at most, on a slow machine


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(BASE, folder, dirs_exist_ok=True)
    return folder


def answer(project: Path, *names: str) -> Diagnostics:
    """Lint a project, and look at every way to show what was found."""
    files = [project / name for name in names]
    found = lint(files, shipped=project)
    for problem in found:
        assert problem.mark is not None, problem
        assert problem.mark.line >= 1, problem
        assert problem.mark.column >= 1, problem
        assert len(problem.message) < 3000
    for text in (view.as_text(found, files), view.as_github(found)):
        assert not any(is_steering(c) for c in text), repr(text)
        text.encode()
    in_json = view.as_json(found)
    assert not re.search("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", in_json)
    assert len(json.loads(in_json)["diagnostics"]) == len(list(found))
    assert json.loads(view.as_sarif(found))["version"] == "2.1.0"
    return found


def is_steering(character: str) -> bool:
    """Whether a character moves a cursor, colours a terminal, or turns a text around."""
    is_joiner = character in "\u200c\u200d"
    return character != "\n" and unicodedata.category(character) in ("Cc", "Cf") and not is_joiner


@effort(120)
@given(changes=edits)
def test_any_bytes_of_an_inventory_are_answered(project: Path, changes: Any) -> None:
    (project / "edited.yaml").write_bytes(edited(PAIS, changes))
    answer(project, "edited.yaml")


@effort(60)
@given(changes=edits)
def test_any_bytes_of_an_overlay_are_answered(project: Path, changes: Any) -> None:
    (project / "over.yaml").write_bytes(edited(PAIS, changes))
    answer(project, "pais.yaml", "over.yaml")


def test_there_is_nothing_wrong_with_the_people_before(project: Path) -> None:
    (project / "people.yaml").write_bytes(PEOPLE)
    found = answer(project, "pais.yaml", "people.yaml")
    assert not list(found), view.as_text(found, [])


@effort(120)
@given(changes=edits)
def test_any_bytes_about_people_and_the_tailnet_are_answered(project: Path, changes: Any) -> None:
    (project / "people.yaml").write_bytes(edited(PEOPLE, changes))
    answer(project, "pais.yaml", "people.yaml")


def test_a_value_of_any_type_about_people_is_answered(project: Path) -> None:
    data = yaml.load(PEOPLE, Loader=yaml.CSafeLoader)
    for number, path in enumerate(paths(data)):
        for wrong in WRONG if EFFORT > 1 else [WRONG[(number + n) % len(WRONG)] for n in (0, 5)]:
            (project / "people.yaml").write_text(as_yaml(replaced(data, path, wrong)), "utf-8")
            answer(project, "pais.yaml", "people.yaml")


@pytest.mark.parametrize("number", range(len(SCRAPS)))
def test_a_scrap_in_every_line_about_people_is_answered(project: Path, number: int) -> None:
    lines = PEOPLE.split(b"\n")
    for at in range(number % 5, len(lines), 1 if EFFORT > 1 else 5):
        key, colon, _ = lines[at].partition(b":")
        changed = [*lines[:at], key + colon + b" " + SCRAPS[number], *lines[at + 1 :]]
        (project / "people.yaml").write_bytes(b"\n".join(changed))
        answer(project, "pais.yaml", "people.yaml")


@pytest.mark.parametrize("part", PARTS)
@effort(25)
@given(changes=edits)
def test_any_bytes_of_a_bundle_are_answered(project: Path, part: str, changes: Any) -> None:
    whole = (BASE / part).read_bytes()
    (project / part).write_bytes(edited(whole, changes))
    answer(project, "pais.yaml")
    (project / part).write_bytes(whole)


@effort(100)
@given(changes=edits, whole=st.none() | st.binary(max_size=30) | scraps)
@example(changes=[], whole=b"[" * 200_000)
@example(changes=[], whole=b"x: " + b"{a: " * 100_000)
@example(changes=[], whole=b"x:\n  " + b"- " * 100_000)
@example(changes=[], whole=b"digest_key: a\nx: 2026-13-45\n")
@example(changes=[], whole=b"x: zq8xK\nx: zq8xK\n")
def test_any_bytes_of_the_secrets_file_are_answered_without_quoting_them(
    tmp_path_factory: pytest.TempPathFactory, changes: Any, whole: bytes | None
) -> None:
    path = tmp_path_factory.mktemp("secrets") / "secrets.yaml"
    path.touch(0o600)
    path.write_bytes(edited(b"digest_key: key\ndb: zq8xK\ntoken: zq8xK-2\n", changes))
    if whole is not None:
        path.write_bytes(whole)
    try:
        vault = load_vault(path)
    except PaisctlError as refused:
        assert "zq8xK" not in f"{refused.message} {refused.hint}"  # noqa: PT017 - or a vault
    else:
        assert all(isinstance(text, str) for item in vault.values.items() for text in item)


def test_a_value_of_any_type_at_any_path_is_answered(project: Path) -> None:
    data = yaml.load(PAIS, Loader=yaml.CSafeLoader)
    for number, path in enumerate(paths(data)):
        picked = WRONG if EFFORT > 1 else [WRONG[(number + n) % len(WRONG)] for n in (0, 5)]
        for wrong in picked:
            text = as_yaml(replaced(data, path, wrong))
            (project / "wrong.yaml").write_text(text, "utf-8")
            answer(project, "wrong.yaml")


@pytest.mark.parametrize("number", range(len(SCRAPS)))
def test_a_scrap_in_every_line_is_answered(project: Path, number: int) -> None:
    lines = PAIS.split(b"\n")
    for at in range(0, len(lines), 1 if EFFORT > 1 else 6):
        key, colon, _ = lines[at].partition(b":")
        changed = [*lines[:at], key + colon + b" " + SCRAPS[number], *lines[at + 1 :]]
        (project / "edited.yaml").write_bytes(b"\n".join(changed))
        answer(project, "edited.yaml")


@pytest.mark.parametrize("shape", list(shapes("", 1000)))
def test_no_shape_of_a_file_takes_long_or_much(project: Path, shape: str) -> None:
    """At the largest size that is read, with the limits of a process around it."""
    text = shapes(PAIS.decode(), MAX_BYTES)[shape]
    assert len(text) <= MAX_BYTES
    (project / "shape.yaml").write_text(text, "utf-8")
    completed = bounded_lint(project)
    assert completed.returncode in (0, 1), completed.stderr[-2000:]
    assert not completed.stderr
    if completed.returncode:
        assert all(d["place"]["line"] >= 1 for d in json.loads(completed.stdout)["diagnostics"])


@pytest.mark.parametrize("fill", ["a: b\n", "a", "[", "- ", "\n", "\0"])
def test_ten_megabytes_are_refused_unread(project: Path, fill: str) -> None:
    (project / "huge.yaml").write_text(fill * (10 * 1024**2 // len(fill)), "utf-8")
    began = time.process_time()
    [problem] = answer(project, "huge.yaml")
    assert time.process_time() - began < 2
    assert problem.code == "too-large"
    assert problem.message.endswith("huge.yaml has more than 1 MiB")


def test_a_pipe_is_not_waited_for(project: Path) -> None:
    os.mkfifo(project / "pipe.yaml")
    [problem] = answer(project, "pipe.yaml")
    assert problem.code == "unreadable"


def bounded_lint(project: Path) -> subprocess.CompletedProcess[str]:
    """`paisctl lint` in a process that ends when it takes too long or too much."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    program = "from paisctl.cli.app import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "-i", "shape.yaml", "lint", "--format", "json"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )
