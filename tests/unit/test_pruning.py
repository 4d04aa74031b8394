"""Removing what is not wanted any more leaves the record of all else as it was."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from paisctl.desired import HostSpec
from paisctl.manifest import parse_manifest
from paisctl.operation import RemoveFile
from paisctl.plan import Cause
from paisctl.proof import unproven
from paisctl.reconcile import Scope
from tests.simulated.fleet import SimulatedFleet
from tests.simulated.host import SimulatedHost
from tests.unit.test_plan_cases import CASES
from tests.unit.test_resting import VAULT, apply, wanted


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedFleet:
    monkeypatch.chdir(shutil.copytree(CASES / "fleet", tmp_path / "fleet"))
    fleet = SimulatedFleet(wanted())
    apply(fleet, wanted())
    apply(fleet, wanted("{enabled: {worker: false}}"))
    return fleet


def test_what_is_pending_stays_pending(fleet: SimulatedFleet) -> None:
    """And is nobody's drift, since the record is of what was applied."""
    box = fleet.hosts["box"]
    was = parse_manifest(box.manifest).stacks["web"]
    edited = wanted("{worker: false, workers: 3, backend: elsewhere}")
    box.files["stacks/web/motto.txt"] = ("0644", b"Bye\n")
    before = {"box": box.state()}
    plan = fleet.plan(edited, VAULT, scope=Scope.ORPHAN)
    assert [str(change.cause) for change in plan.changes] == ["orphan"]
    fleet.apply(plan, VAULT)
    assert not unproven(plan, before, {"box": box.state()}, VAULT)

    now = parse_manifest(box.manifest).stacks["web"]
    assert now.services == {n: each for n, each in was.services.items() if n != "worker"}
    assert now.files["app/settings"] == was.files["app/settings"]
    assert now.files["worker/jobs"].service is None
    assert now.resting == ()
    later = fleet.plan(edited, VAULT)
    causes = {change.subject: change.cause for change in later.changes}
    assert causes == {
        "service app": Cause.PENDING,
        "file proxy/proxy.conf": Cause.PENDING,
        "file motto.txt": Cause.DRIFT,
    }
    apply(fleet, edited)


def without_web() -> Mapping[str, HostSpec]:
    hosts = wanted()
    stacks = {name: stack for name, stack in hosts["box"].stacks.items() if name != "web"}
    return {"box": replace(hosts["box"], stacks=stacks)}


def by_hand(box: SimulatedHost, name: str, **edits: str) -> None:
    """Have a container be one that somebody else's Compose has made."""
    container = copy.deepcopy(box.containers["web-app-1"]) | {"Id": "feed", "Name": f"/{name}"}
    labels = container["Config"]["Labels"]
    own = {key: value for key, value in labels.items() if not key.startswith("paisctl.")}
    container["Config"]["Labels"] = own | {f"com.docker.compose.{k}": v for k, v in edits.items()}
    box.containers[name] = container


@pytest.mark.parametrize("scope", [Scope.ORPHAN, Scope.ALL])
def test_what_others_have_in_a_stack_that_is_gone_stays(
    fleet: SimulatedFleet, scope: Scope
) -> None:
    box = fleet.hosts["box"]
    by_hand(box, "web-feed-1", service="feed")
    before = {"box": box.state()}
    plan = fleet.plan(without_web(), VAULT, scope=scope)
    assert plan.hosts[0].notes == ("web: paisctl did not make web-feed-1, so that stays",)
    fleet.apply(plan, VAULT)
    assert not unproven(plan, before, {"box": box.state()}, VAULT)
    assert {name for name in box.containers if name.startswith("web")} == {"web-feed-1"}
    assert not [path for path in box.files if path.startswith("stacks/web/")]
    assert not fleet.plan(without_web(), VAULT)


def test_a_project_that_somebody_else_made_in_its_place_stays(fleet: SimulatedFleet) -> None:
    """All that was ours is gone, but the host's manifest still has it."""
    box = fleet.hosts["box"]
    by_hand(box, "web-app-1")
    del box.containers["web-proxy-1"], box.containers["web-worker-1"]
    plan = fleet.plan(without_web(), VAULT, scope=Scope.ORPHAN)
    assert {type(each) for each in plan.hosts[0].stacks[0].operations} == {RemoveFile}
    fleet.apply(plan, VAULT)
    assert "web-app-1" in box.containers
    assert not fleet.plan(without_web(), VAULT)


def test_what_others_made_as_a_service_that_is_gone_stays(fleet: SimulatedFleet) -> None:
    by_hand(fleet.hosts["box"], "web-worker-1", service="worker")
    plan = fleet.plan(wanted("{worker: false}"), VAULT, scope=Scope.ORPHAN)
    assert "service worker" not in {change.subject for change in plan.changes}


def test_what_runs_from_another_root_is_not_pruned(fleet: SimulatedFleet) -> None:
    """Somebody else's inventory may have a root of its own on the same engine."""
    box = fleet.hosts["box"]
    for name, container in box.containers.items():
        folder = "/home/ann/paisctl/stacks/web" if name.startswith("web") else ""
        container["Config"]["Labels"]["com.docker.compose.project.working_dir"] = folder
    document = json.loads(box.manifest)
    del document["stacks"]["web"]
    box.manifest = json.dumps(document)
    plan = fleet.plan(without_web(), VAULT)
    assert not plan.changes
    assert plan.hosts[0].notes[0] == (
        "web: paisctl made web-proxy-1, but from /home/ann/paisctl/stacks/web, so that stays"
    )
    for container in box.containers.values():
        folder = "/opt/paisctl/stacks/web"
        container["Config"]["Labels"]["com.docker.compose.project.working_dir"] = folder
    [change] = fleet.plan(without_web(), VAULT).changes
    assert change.cause is Cause.ORPHAN
