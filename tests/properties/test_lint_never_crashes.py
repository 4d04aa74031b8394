"""Whatever a person does to an inventory, lint answers with problems at places, not a traceback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paisctl.pipeline import lint
from paisctl.views import diagnostics as view

BASE = Path(__file__).parents[1] / "cases" / "lint" / "base"

SCRAPS = st.sampled_from(
    [
        "null",
        "~",
        "[]",
        "{}",
        "5",
        "-1",
        "0",
        "1e400",
        "true",
        "x",
        "''",
        "[a]",
        "{a:b}",
        "{secret:x}",
        "{secret:[a]}",
        "&a",
        "*a",
        "<<",
        "-",
        "?",
        "!",
        "|",
        ">",
        "%",
        "@",
        "latest",
        "127.0.0.1",
        "::1",
        "64GiB",
        "99999999999999999999",
        ".inf",
        "{{x}}",
        "$FOO",
        "../..",
        "/",
        "\t",
        "\x85",
        "\u2028",
        "\x00",
        "é",
        '"\\e[31m"',
        '"\\ud800"',
        "!!str",
        "---",
        "...",
    ]
)
POSITION = st.floats(0, 1, exclude_max=True)
EDIT = st.one_of(
    st.tuples(st.just("delete"), POSITION, st.just("")),
    st.tuples(st.just("repeat"), POSITION, st.just("")),
    st.tuples(st.just("indent"), POSITION, st.just("")),
    st.tuples(st.just("value"), POSITION, SCRAPS),
    st.tuples(st.just("key"), POSITION, SCRAPS),
    st.tuples(st.just("insert"), POSITION, st.one_of(SCRAPS, st.characters())),
    st.tuples(st.just("cut"), POSITION, st.just("")),
)


def edited(text: str, edits: list[tuple[str, float, str]]) -> str:
    for kind, position, scrap in edits:
        if kind in ("insert", "cut"):
            at = int(position * len(text))
            text = text[:at] + (scrap + text[at:] if kind == "insert" else "")
            continue
        lines = text.split("\n")
        at = int(position * len(lines))
        before, colon, after = lines[at].partition(":")
        indent = before[: len(before) - len(before.lstrip())]
        lines[at : at + 1] = {
            "delete": [],
            "repeat": [lines[at]] * 2,
            "indent": [f"  {lines[at]}"],
            "value": [f"{before}{colon} {scrap}"],
            "key": [f"{indent}{scrap}{colon}{after}"],
        }[kind]
        text = "\n".join(lines)
    return text


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(BASE, folder, dirs_exist_ok=True)
    return folder


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(edits=st.lists(EDIT, min_size=1, max_size=4))
def test_every_edit_of_an_inventory_is_answered(
    project: Path, edits: list[tuple[str, float, str]]
) -> None:
    inventory = project / "edited.yaml"
    text = edited((BASE / "pais.yaml").read_text("utf-8"), edits)
    inventory.write_text(text, "utf-8", "surrogatepass", newline="")
    found = lint([inventory], shipped=project)
    for problem in found:
        assert problem.mark is not None
        assert problem.mark.line >= 1
        assert problem.mark.column >= 1
    assert view.as_text(found, [inventory]).encode()
    assert len(json.loads(view.as_json(found))["diagnostics"]) == len(list(found))
    assert json.loads(view.as_sarif(found))["version"] == "2.1.0"
    assert view.as_github(found).count("\n") == len(list(found))
