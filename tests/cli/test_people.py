"""`paisctl user`: people in the inventory, added, changed and removed in place."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from paisctl.cli.app import run
from tests.cli.conftest import Session

INVENTORY = "inventory/pais.yaml"


def test_a_child_is_added_and_removed(reference: Path, session: Session) -> None:
    before = (reference / INVENTORY).read_bytes()
    added = session(
        "user-add",
        "paisctl user add child2@example.com --role child --yes",
        "paisctl user list",
        "paisctl user add child2@example.com --role child --yes",
    )
    assert "child2@example.com → mac-mini: tcp 3001 (anythingllm)" in added
    assert added.count(" → mac-mini") == 1
    assert len(re.findall("^  [+-] .* → ", added, re.MULTILINE)) == 1  # nobody else gains or loses
    assert added.endswith("says so already: nothing to change\n--- exit 0\n")
    session("user-remove", "paisctl user remove child2@example.com --yes")
    assert (reference / INVENTORY).read_bytes() == before


def test_only_the_lines_of_the_person_change(reference: Path) -> None:
    path = reference / INVENTORY
    before = path.read_text("utf-8").splitlines()
    assert run(["user", "add", "child2@example.com", "--role", "child", "--yes"]) == 0
    after = path.read_text("utf-8").splitlines()
    assert [line for line in after if line not in before] == ["  - id: child2@example.com"]
    assert len(after) == len(before) + 2


def test_a_person_is_changed(reference: Path, session: Session) -> None:
    before = (reference / INVENTORY).read_bytes()
    session(
        "user-set",
        "paisctl user set child1@example.com --role adult --unset allowed_models --yes",
        "paisctl user set child1@example.com --role adult --unset allowed_models --yes",
        "paisctl user set child1@example.com --budget 2.5 --filter off --model a --model b --yes",
        "paisctl user list",
    )
    assert (reference / INVENTORY).read_bytes() != before


@pytest.mark.usefixtures("reference")
def test_what_cannot_be(session: Session) -> None:
    session(
        "user-refused",
        "paisctl user add parent@example.com --role child --yes",
        "paisctl user add PARENT@example.com --role admin --yes",
        "paisctl user add new@example.com --role chlid --yes",
        "paisctl user add new --role child --yes",
        "paisctl user add new@example.com --role child --filter none --yes",
        "paisctl user add new@example.com",
        "paisctl user set nobody@example.com --role child --yes",
        "paisctl user set child1@example.com --unset cloud --yes",
        "paisctl user remove child@example.com --yes",
        "paisctl user remove parent@example.com --yes",
        "paisctl user remove Parent@Example.com --yes",
    )


def test_without_a_terminal_it_asks_for_yes(reference: Path, session: Session) -> None:
    before = (reference / INVENTORY).read_bytes()
    session("user-no-terminal", "paisctl user add child2@example.com --role child")
    assert (reference / INVENTORY).read_bytes() == before


def test_an_overlay_that_lists_people_is_the_one_that_changes(
    reference: Path, session: Session
) -> None:
    overlay = reference / "people.yaml"
    overlay.write_text("users: [{id: ann@example.com, role: admin}] # mine\n")
    (reference / INVENTORY).write_text(
        (reference / INVENTORY).read_text("utf-8").replace("parent@", "ann@"), "utf-8"
    )
    before = (reference / INVENTORY).read_bytes()
    files = "-i inventory/pais.yaml -i people.yaml"
    session("user-overlay", f"paisctl {files} user add ben@example.com --role guest --yes")
    assert (reference / INVENTORY).read_bytes() == before
    assert "ben@example.com" in overlay.read_text("utf-8")
    assert overlay.read_text("utf-8").endswith("# mine\n")


@pytest.mark.usefixtures("reference")
def test_the_list_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["user", "list", "--json"]) == 0
    parent, child = json.loads(capsys.readouterr().out)["users"]
    assert parent["group"] == "admins"
    assert parent["ssh"]
    assert parent["cloud_budget_monthly"] == 100
    assert child["services"] == ["anythingllm"]
    assert child["allow_cloud"] is False
    assert child["allowed_models"] == ["llama3.1:8b", "qwen2.5:7b"]
