from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from paisctl.kept import kept_stack
from paisctl.manifest import Manifest, UnusableManifest, manifest_line, parse_manifest
from paisctl.secrets import Vault
from tests.simulated.fleet import rendered

FLEET = Path(__file__).parents[1] / "cases/plan/fleet"
VAULT = Vault({"db_password": "correct horse"}, "key")


def manifest() -> str:
    stacks = rendered([FLEET / "inventory.yaml"], FLEET)["box"].stacks
    lines = ",\n".join(f'"{name}": {manifest_line(s, VAULT)}' for name, s in stacks.items())
    return f'{{"paisctl": 1, "generation": 7, "stacks": {{\n{lines}\n}}}}\n'


def test_what_was_written_is_read() -> None:
    stacks = rendered([FLEET / "inventory.yaml"], FLEET)["box"].stacks
    read = parse_manifest(manifest())
    assert read.generation == 7
    for name, applied in read.stacks.items():
        assert applied.services == stacks[name].services
        assert applied.files.keys() == stacks[name].files.keys()
        assert applied.inputs == {k: i.text for k, i in stacks[name].inputs.items()}
        assert applied.line == manifest_line(stacks[name], VAULT)
        assert manifest_line(kept_stack("box", applied), VAULT) == applied.line
    secret = [path for path, file in read.stacks["db"].files.items() if file.secret]
    assert secret == ["compose.override.yaml"]


def test_each_stack_is_one_line_of_ascii() -> None:
    for line in manifest().splitlines():
        assert line.isascii()
    assert len(manifest().splitlines()) == 4


def test_it_holds_no_secret() -> None:
    assert "correct" not in manifest()


@pytest.mark.parametrize("text", ["", " \n"])
def test_no_manifest_is_an_empty_one(text: str) -> None:
    assert parse_manifest(text) == Manifest()


def broken() -> list[str]:
    whole = json.loads(manifest())
    texts = ["{", "[]", "null", "7", '"x"', '{"paisctl": true}', '{"paisctl": 1}']
    changes: list[dict[str, Any]] = [
        {"paisctl": "1"},
        {"paisctl": 2},
        {"stacks": []},
        {"stacks": {"db": None}},
        {"stacks": {"db": {"services": {"db": {}}}}},
        {"generation": None},
        {"stacks": {"../db": whole["stacks"]["db"]}},
        *({"stacks": {"db": whole["stacks"]["db"] | {key: []}}} for key in ("inputs", "files")),
    ]
    for key in ("definition", "mounted", "sealed"):
        db = copy.deepcopy(whole["stacks"]["db"])
        db["services"]["db"][key] = 7
        changes.append({"stacks": {"db": db}})
    return texts + [json.dumps(whole | change) for change in changes]


@pytest.mark.parametrize("text", broken())
def test_what_is_no_manifest_is_never_taken_for_an_empty_one(text: str) -> None:
    with pytest.raises(UnusableManifest):
        parse_manifest(text)


@pytest.mark.parametrize("end", range(1, 200, 17))
def test_a_manifest_that_was_cut_off_is_damaged(end: int) -> None:
    with pytest.raises(UnusableManifest):
        parse_manifest(manifest()[:end])
