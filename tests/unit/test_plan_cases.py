"""Cases as data: what was applied, what happened to the host, what is wanted now → the plan.

A case under tests/cases/plan lays `applied` and `inventory` over the inventory of the fleet there
and changes the host in between. A case also shows that its plan, once carried out, is enough.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
import yaml

from paisctl.desired import HostSpec
from paisctl.reconcile import Scope
from paisctl.secrets import Vault
from tests.golden_files import REWRITE
from tests.simulated.compose import Json, image
from tests.simulated.fleet import SimulatedFleet, rendered
from tests.simulated.host import SimulatedHost

CASES = Path(__file__).parents[1] / "cases/plan"
NOTHING = "nothing"
KEYS = {"about", "applied", "inventory", "host", "secrets", "unrecorded"} | {
    "cannot_be_mended",
    "diff",
    "scope",
    "failed",
    "plan",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(CASES / "fleet", tmp_path_factory.mktemp("cases") / "fleet"))


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_plan(path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    case = yaml.safe_load(path.read_text())
    assert case.keys() <= KEYS
    fleet = copy.deepcopy(applied(case.get("applied", "")))
    box = fleet.hosts["box"]
    wanted = desired("inventory-edit.yaml", case.get("inventory", ""))
    vault = secrets(**case.get("secrets", {}))
    if case.get("unrecorded"):
        manifest = box.manifest
        fleet.apply(fleet.plan(wanted, vault), vault)
        box.manifest = manifest
    if "failed" in case:
        manifest = box.manifest
        fleet.apply(fleet.plan(desired("failed-edit.yaml", case["failed"]), vault), vault)
        box.manifest = manifest
    happen(box, case.get("host", {}))

    if box.problem:
        assert case.get("cannot_be_mended")
    scope = Scope[case.get("scope", "ALL")]
    if scope is Scope.DRIFT:
        wanted = fleet.applied(wanted)
    plan = fleet.plan(wanted, vault, texts=case.get("diff", False), scope=scope)

    notes = [f"hint: {host.hint}" for host in plan.hosts if host.hint]
    notes += [f"hint: {refusal.hint}" for refusal in plan.refused]
    notes += [f"note: {note}" for host in plan.hosts for note in host.notes]
    diffs = [c.diff for c in plan.changes if c.diff and case.get("diff")]
    check(path, [str(plan), *notes, *diffs])
    assert plan == fleet.plan(wanted, vault, texts=case.get("diff", False), scope=scope)
    assert all(scope.covers(change.cause) for change in plan.changes)
    if not case.get("cannot_be_mended"):
        fleet.apply(plan, vault)
        after = fleet.plan(wanted, vault, scope=scope)
        assert not after.changes
        assert after.refused == plan.refused


def secrets(**values: str) -> Vault:
    return Vault({"db_password": "correct horse"} | values, "key")


@cache
def desired(name: str, overlay: str) -> Mapping[str, HostSpec]:
    paths = [Path("inventory.yaml")]
    if overlay:
        paths.append(Path(name))
        paths[-1].write_text(overlay)
    return rendered(paths, Path.cwd())


@cache
def applied(overlay: str) -> SimulatedFleet:
    wanted = desired("applied-edit.yaml", "" if overlay == NOTHING else overlay)
    fleet = SimulatedFleet(wanted)
    if overlay != NOTHING:
        fleet.apply(fleet.plan(wanted, secrets()), secrets())
    return fleet


def happen(box: SimulatedHost, events: Json) -> None:
    """Let things happen to a host that paisctl did not do."""
    for name, change in events.get("containers", {}).items():
        if change is None:
            del box.containers[name]
        else:
            box.containers[name] = changed(box.containers.get(name, {}), change)
    for path, change in events.get("files", {}).items():
        if change is None:
            del box.files[f"stacks/{path}"]
        else:
            mode, content = box.files.get(f"stacks/{path}", ("0644", b""))
            text = change.get("text", content.decode()).encode()
            box.files[f"stacks/{path}"] = (change.get("mode", mode), text)
    for path, (old, new) in events.get("edited", {}).items():
        mode, content = box.files[f"stacks/{path}"]
        assert old in content.decode()
        box.files[f"stacks/{path}"] = (mode, content.decode().replace(old, new).encode())
    for reference in events.get("moved_tags", []):
        box.images[f"old {reference}"] = box.images[reference] | {"RepoTags": []}
        box.images[reference] = image(reference, "pushed again")
    for reference in events.get("lost_tags", []):
        box.images[reference] |= {"RepoTags": []}
    if "owner" in events:
        box.manifest = json.dumps(json.loads(box.manifest) | events["owner"])
    box.manifest = events.get("manifest", box.manifest)
    box.last_runs = tuple(json.dumps(event) for event in events.get("runs", []))
    box.problem, box.hint = events.get("problem", ""), events.get("hint", "")


def changed(shown: Json, change: Json) -> Json:
    """Lay a change over what Docker shows; null removes. `Env` may be given as a mapping."""
    result = dict(shown)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif key == "Env":
            pairs = dict(entry.split("=", 1) for entry in shown["Env"])
            result["Env"] = [f"{k}={v}" for k, v in changed(pairs, value).items()]
        elif isinstance(value, dict):
            result[key] = changed(shown.get(key) or {}, value)
        else:
            result[key] = value
    return result


def check(path: Path, plan: list[str]) -> None:
    actual = "\n".join(plan) + "\n"
    said, _, expected = path.read_text().partition("\nplan: |\n")
    if REWRITE:
        indented = "".join(f"  {line}".rstrip() + "\n" for line in actual.splitlines())
        path.write_text(f"{said.rstrip()}\nplan: |\n{indented}")
        return
    assert actual == "".join(f"{line[2:]}\n" for line in expected.splitlines())
