"""Commands that need an inventory and no host."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import yaml

from paisctl.cli.app import run
from tests.cli.conftest import Session


@pytest.mark.usefixtures("reference")
def test_render(session: Session) -> None:
    session("render", "paisctl render m7-1", "paisctl render -o out mac-mini nas")


def test_render_into_a_folder_is_what_render_prints(reference: Path, session: Session) -> None:
    text = session("render-k6", "paisctl render k6", "paisctl render k6 -o out")
    for path in (p for p in (reference / "out").rglob("*") if p.is_file()):
        assert path.read_text() in text
    override = reference / "out/k6/stacks/qdrant/compose.override.yaml"
    assert stat.S_IMODE(override.stat().st_mode) == 0o600


def test_show(reference: Path, session: Session) -> None:
    (reference / "overlay.yaml").write_text(
        "defaults: {ssh: {user: pais}}\ndevices: {k6: {stacks: {qdrant: {memory: 30g}}}}\n"
    )
    session("show", "paisctl show k6", "paisctl show thinkpad")
    over = session("show-overlay", "paisctl -i inventory/pais.yaml -i overlay.yaml show k6")
    assert "user: pais" in over
    assert "overlay.yaml:2" in over


def test_secrets(reference: Path, session: Session) -> None:
    commands = ("paisctl secrets list", "paisctl secrets init", "paisctl secrets list")
    session("secrets", *commands)
    path = reference / "inventory/secrets.yaml"
    values = yaml.safe_load(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(set(values.values())) == len(values) == 4

    again = session("secrets-again", "paisctl secrets init", "paisctl secrets list")
    assert yaml.safe_load(path.read_text()) == values
    assert not [value for value in values.values() if value in again]


def test_secrets_that_others_can_read_are_refused(reference: Path, session: Session) -> None:
    path = reference / "inventory/secrets.yaml"
    path.write_text("redis_password: x\n")
    path.chmod(0o644)
    session("secrets-readable", "paisctl secrets list", "paisctl plan k6")


@pytest.mark.usefixtures("reference")
def test_a_plan_without_values_for_its_secrets(session: Session) -> None:
    session("secrets-missing", "paisctl plan k6")


def test_errors_in_the_inventory_stop_a_plan(reference: Path, session: Session) -> None:
    path = reference / "inventory/pais.yaml"
    path.write_text(path.read_text().replace("{memory: 36g}", "{memroy: 36g}"))
    session("lint-error-on-plan", "paisctl plan k6")


def test_init_writes_what_lints(
    here: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session("init", "paisctl init new", "paisctl init new")
    monkeypatch.chdir(here / "new")
    session("init-lint", "paisctl lint --strict", "paisctl secrets init")


@pytest.mark.usefixtures("reference")
def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["title"] == "paisctl inventory"
    assert "memory" in schema["$defs"]["stack-qdrant"]["anyOf"][0]["properties"]
