"""Cases as data: two revisions of an inventory → the plan that leads from one to the other.

A case under tests/cases/revisions lays `before` and `after` over the inventory of the plan cases.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from paisctl.desired import HostSpec
from paisctl.inventory.rollouts import Group
from paisctl.plan import Plan
from paisctl.reconcile.revisions import Unopened, compare
from paisctl.resources.compose import ServiceSpec
from paisctl.secrets import token
from tests.golden_files import REWRITE
from tests.simulated.fleet import rendered

CASES = Path(__file__).parents[1] / "cases"
REVISIONS = sorted((CASES / "revisions").glob("*.yaml"))
OF_HOSTS = {"about", "applied", "inventory", "plan"}  # a case in which nothing happens to a host


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shutil.copytree(CASES / "plan/fleet", tmp_path / "fleet"))


def asked(name: str, overlay: str) -> Mapping[str, HostSpec]:
    Path(name).write_text(overlay or "{}")
    return rendered([Path("inventory.yaml"), Path(name)], Path.cwd())


def said(plan: Plan) -> str:
    lines = [str(plan)]
    lines += [f"hint: {host.hint}" for host in plan.hosts if host.hint]
    lines += [f"note: {host.device}: {note}" for host in plan.hosts for note in host.notes]
    lines += [change.diff for change in plan.changes if change.diff]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", REVISIONS, ids=lambda path: path.stem)
def test_revisions(path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    assert case.keys() <= {"about", "before", "after", "diff", "plan"}
    before = asked("before.yaml", case.get("before", ""))
    after = asked("inventory-edit.yaml", case.get("after", ""))
    actual = said(compare(before, after, diffs_from="main" if case.get("diff") else ""))
    if REWRITE:
        head = path.read_text().partition("plan: |\n")[0]
        body = "".join(f"  {line}".rstrip() + "\n" for line in actual.splitlines())
        path.write_text(f"{head}plan: |\n{body}")
    else:
        assert actual == case["plan"]


def of_hosts() -> list[Path]:
    paths = sorted((CASES / "plan").glob("*.yaml"))
    return [path for path in paths if yaml.safe_load(path.read_text()).keys() <= OF_HOSTS]


@pytest.mark.parametrize("path", of_hosts(), ids=lambda path: path.stem)
def test_the_plan_is_that_of_a_host_that_was_applied_to(path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    was = case.get("applied", "")
    before = {} if was == "nothing" else asked("applied-edit.yaml", was)
    after = asked("inventory-edit.yaml", case.get("inventory", ""))
    # Docker tells of variables in an order of its own.
    actual = [line for line in said(compare(before, after)).splitlines() if "note: " not in line]
    expected = [line for line in case["plan"].splitlines() if "note: " not in line]
    assert sorted(actual) == sorted(expected)


def test_only_some_devices_and_stacks() -> None:
    devices = "devices: {other: {model: Box, kind: linux, layer: edge, role: Other, arch: amd64, "
    devices += "memory: 8GiB, storage: 1 TB, address: 100.64.0.2, stacks: {db: }}}"
    before, after = asked("one.yaml", ""), asked("two.yaml", devices)
    whole = compare(before, after)
    assert [host.device for host in whole.changing] == ["other"]
    assert not compare(before, after, devices=["box"])
    assert not compare(before, after, stacks=["web"])
    back = compare(after, before)
    assert [str(change.address) for change in back.changes] == ["other/compose:db"]
    assert not compare(after, before, stacks=["web"])
    assert not compare(after, before, devices=["box"]), "who is gone was not asked for"


def test_members_of_a_rollout_are_not_restarted_together() -> None:
    devices = "devices: {other: {model: Box, kind: linux, layer: edge, role: Other, arch: amd64, "
    devices += "memory: 8GiB, storage: 1 TB, address: 100.64.0.2, stacks: {db: }}}\n"
    newer = 'stacks: {db: {images: {db: {tag: "16.2"}}}}\n'
    before, after = asked("one.yaml", devices), asked("two.yaml", devices + newer)
    group = Group("databases", "db", frozenset({"box", "other"}))
    plan = compare(before, after, groups=[group])
    assert not plan
    assert {refusal.hint for refusal in plan.refused} == {
        "one after the other: paisctl rollout databases"
    }


def test_a_password_that_becomes_a_secret_is_not_shown() -> None:
    before = asked("one.yaml", "")
    spec = before["box"].stacks["db"]
    definition = dict(spec.services["db"].definition)
    environment = {**definition["environment"], "POSTGRES_PASSWORD": "hunter2 in plain"}
    plain = ServiceSpec("db", {**definition, "environment": environment})
    was = replace(spec, services={**spec.services, "db": plain})
    host = replace(before["box"], stacks={**before["box"].stacks, "db": was})
    assert "POSTGRES_PASSWORD" in str(compare({"box": host}, before))
    assert "hunter2" not in str(compare({"box": host}, before))
    assert "hunter2" not in repr(compare({"box": host}, before))


def test_a_vault_without_values_names_secrets_and_hides_the_rest() -> None:
    vault = Unopened()
    assert vault.seal(f"user:{token('a')}") == "user:(secret a)"
    assert "plain" not in vault.seal("plain")
    assert vault.redact(token("a")) == "(secret a)"
