"""Removing what is not wanted any more leaves the record of all else as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from paisctl.manifest import parse_manifest
from paisctl.plan import Cause
from paisctl.proof import unproven
from paisctl.reconcile import Scope
from tests.simulated.fleet import SimulatedFleet
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
