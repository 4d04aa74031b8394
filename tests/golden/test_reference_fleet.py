"""The reference fleet as real files: what each host gets, and the plan of a first deploy."""

from __future__ import annotations

from pathlib import Path

import pytest

from paisctl.plan import Plan
from paisctl.secrets import Vault, describe
from paisctl.views import human
from paisctl.views import json as json_view
from tests.golden_files import REWRITE, expect
from tests.simulated.fleet import REPOSITORY, SimulatedFleet, rendered

GOLDEN = Path(__file__).parent
RENDERED = GOLDEN / "rendered"
INVENTORY = Path("inventory/pais.yaml")
SECRETS = ("docling_api_key", "qdrant_api_key", "redis_password")
VAULT = Vault({name: f"value of {name}" for name in SECRETS}, "key")


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def files() -> dict[Path, tuple[str, str]]:
    return {
        Path(device, "stacks", name, path): (describe(file.content), file.mode)
        for device, host in rendered([INVENTORY]).items()
        for name, stack in host.stacks.items()
        for path, file in stack.files.items()
    }


def test_every_file_is_as_expected() -> None:
    for path, (text, _) in files().items():
        expect(RENDERED / path, text)


def test_nothing_else_is_expected() -> None:
    wanted = files()
    for path in (path for path in RENDERED.rglob("*") if path.is_file()):
        if REWRITE and path.relative_to(RENDERED) not in wanted:
            path.unlink()
        else:
            assert path.relative_to(RENDERED) in wanted


def test_only_files_with_secrets_are_private() -> None:
    private = {str(path) for path, (text, mode) in files().items() if mode == "0600"}
    assert private == {str(path) for path, (text, _) in files().items() if "(secret " in text}


def first_plan() -> Plan:
    hosts = rendered([INVENTORY])
    return SimulatedFleet(hosts).plan(hosts, VAULT)


def test_the_plan_of_a_first_deploy() -> None:
    expect(GOLDEN / "first-deploy.txt", f"{first_plan()}\n")


def test_the_plan_of_a_first_deploy_for_people() -> None:
    expect(GOLDEN / "first-deploy-human.txt", human.plan(first_plan()))


def test_the_plan_of_a_first_deploy_for_programs() -> None:
    expect(GOLDEN / "first-deploy.json", json_view.plan(first_plan()))


def test_after_the_first_deploy_nothing_is_left() -> None:
    hosts = rendered([INVENTORY])
    fleet = SimulatedFleet(hosts)
    fleet.apply(fleet.plan(hosts, VAULT), VAULT)
    assert str(fleet.plan(hosts, VAULT)) == "no changes"
