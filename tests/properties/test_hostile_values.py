"""A value is what it is, on all of its ways: never a template, a variable or a command."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paisctl.desired import GateSpec
from paisctl.execution.delivery import run_script, words
from paisctl.operation import (
    CheckFile,
    DisconnectNetwork,
    InstallFile,
    Operation,
    PassGate,
    Pull,
    RemoveContainer,
    RemoveFile,
    RemoveProject,
    ServiceOperation,
    SignalService,
    Verb,
)
from paisctl.plan import HostPlan, StackPlan
from paisctl.resources.file import FileCheck, FileSpec
from tests.properties.hostile import CODE
from tests.properties.strategies import NASTY, as_yaml, texts
from tests.simulated.fleet import rendered

FLEET = Path(__file__).parents[1] / "cases/plan/fleet"
hostile = st.sampled_from(CODE) | st.tuples(st.sampled_from(CODE), texts).map("".join)
# What a word of a command may hold: anything but NUL.
arguments = hostile | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)


@given(value=hostile)
@example(value="".join(CODE))
@settings(max_examples=60)
def test_a_value_is_read_back_from_the_files_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    asked = {"environment": {"A": value}, "labels": {"a": value, "l": "x"}, "motto": value}
    path = tmp_path_factory.mktemp("inventory") / "overlay.yaml"
    path.write_text(as_yaml({"stacks": {"web": asked | {"data": f"/srv/{value}"}}}), "utf-8")
    files = rendered([FLEET / "inventory.yaml", path], FLEET)["box"].stacks["web"].files
    document = yaml.load(files["compose.yaml"].content, Loader=yaml.CSafeLoader)
    assert document["services"].keys() == {"proxy", "app", "worker"}
    app = interpolated(document["services"]["app"])
    assert app["environment"]["A"] == value
    assert app["labels"]["a"] == value
    assert app["volumes"][1]["source"] == f"/srv/{value}"
    assert files["motto.txt"].content == f"{value}\n"


@pytest.mark.parametrize(
    "text",
    [
        "0o17",
        "1e3",
        "12e03",
        "-1E+3",
        ".5e1",
        "0x1f",
        "0b1",
        "1_000",
        "+1",
        "2006-1-2",
        "1.",
        "~",
        "2006-1-2 3:4:5",
        "no",
        "Yes",
        "null",
        ".inf",
        ".NaN",
        "<<",
        "=",
        "1:30",
        "007",
    ],
)
def test_a_text_that_looks_like_something_else_is_quoted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "overlay.yaml"
    path.write_text(as_yaml({"stacks": {"web": {"environment": {"A": text}}}}), "utf-8")
    files = rendered([FLEET / "inventory.yaml", path], FLEET)["box"].stacks["web"].files
    assert re.search(rf"A: ([\"']){re.escape(text)}\1\n", files["compose.yaml"].content)


def interpolated(value: Any) -> Any:
    """What Compose makes of texts without variables in them; one with variables is refused.

    https://docs.docker.com/reference/compose-file/interpolation/
    """
    if isinstance(value, dict):
        return {key: interpolated(item) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item) for item in value]
    if isinstance(value, str):
        assert "$" not in value.replace("$$", ""), f"Compose would interpolate {value!r}"
        return value.replace("$$", "$")
    return value


def operations(text: str, other: str) -> list[Operation]:
    """Operations of every kind, with texts wherever one holds any."""
    spec = FileSpec(text, other, "0644")
    gate = GateSpec(text, text, (other, text), 3.0)
    return [
        Pull(text),
        CheckFile(text, FileCheck(text, (other, text)), other, (f"{text}:/x",)),
        InstallFile(spec),
        RemoveFile(text),
        ServiceOperation(Verb.CREATE, (text, other)),
        ServiceOperation(Verb.RECREATE, (text,)),
        ServiceOperation(Verb.START, (other, text)),
        SignalService(text, other),
        RemoveContainer(text, other),
        DisconnectNetwork(text, other, text),
        RemoveProject(text),
        PassGate(gate),
    ]


@given(text=arguments, other=arguments, setting=arguments)
@example(text="".join(CODE), other=NASTY, setting="'\n\"$(touch harmed)")
@settings(max_examples=30)
def test_a_run_script_says_the_same_words_to_a_shell(
    tmp_path_factory: pytest.TempPathFactory, text: str, other: str, setting: str
) -> None:
    planned = operations(text, other)
    plan = HostPlan("box", (StackPlan(text, (), tuple(planned)),))
    staging = tmp_path_factory.mktemp("staging")
    script = run_script(plan, {"ROOT": setting, "STAGING": str(staging)})
    said = heard(script, staging)
    expected: list[list[str]] = [["begin_stack", text]]
    expected += [["step", str(operation), *words(operation)] for operation in planned]
    assert [words for words in said if words[0] in ("begin_stack", "step")] == expected
    assert ["begin_run", setting] in said
    assert not (staging / "harmed").exists()


# Stands in for the shell files that a run.sh is written in: says each call, and does nothing.
REPEAT = r"""
say() { printf '%s\0' "$#" "$@"; }
begin_run() { say begin_run "$ROOT"; }
for word in begin_stack step begin_changes end_stack end_run; do
  eval "$word() { say $word \"\$@\"; }"
done
"""


def heard(script: str, staging: Path) -> list[list[str]]:
    """The calls that a run.sh makes, each with its arguments, in the shell that hosts have."""
    for name in ("apply.sh", *_sourced(script)):
        (staging / name).write_text(REPEAT)
    (staging / "run.sh").write_text(script, "utf-8", "surrogateescape")
    subprocess.run(["sh", "-n", "run.sh"], cwd=staging, check=True, capture_output=True)
    completed = subprocess.run(
        ["sh", "run.sh"], cwd=staging, check=True, capture_output=True, timeout=20
    )
    assert not completed.stderr
    words = iter(completed.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1])
    return [[next(words) for _ in range(int(count))] for count in words]


def _sourced(script: str) -> list[str]:
    lines = (line for line in script.splitlines() if line.startswith('. "$STAGING/'))
    return [line.removeprefix('. "$STAGING/').removesuffix('"') for line in lines]
