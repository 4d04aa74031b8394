"""What is not enabled, over several applies: stopped, kept up to date, woken, gone back to."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from paisctl.desired import HostSpec
from paisctl.execution.going_back import going_back
from paisctl.kept import kept_host
from paisctl.manifest import parse_manifest
from paisctl.operation import ServiceOperation, Verb
from paisctl.plan import Cause, Plan
from paisctl.proof import unproven
from paisctl.reconcile import Scope
from paisctl.secrets import Vault
from paisctl.status import DISABLED, survey
from tests.simulated.fleet import SimulatedFleet, rendered
from tests.unit.test_plan_cases import CASES

VAULT = Vault({"db_password": "correct horse"}, "key")
PROXY = "web-proxy-1"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(shutil.copytree(CASES / "fleet", tmp_path / "fleet"))
    return Path.cwd()


def wanted(settings: str = "{}") -> Mapping[str, HostSpec]:
    """The fleet of the plan cases with other settings of the stack `web`."""
    Path("edit.yaml").write_text(f"stacks: {{web: {settings}}}\n")
    return rendered([Path("inventory.yaml"), Path("edit.yaml")], Path.cwd())


@pytest.fixture
def fleet(project: Path) -> SimulatedFleet:
    assert project
    fleet = SimulatedFleet(wanted())
    apply(fleet, wanted())
    return fleet


def apply(fleet: SimulatedFleet, hosts: Mapping[str, HostSpec]) -> Plan:
    """Carry a plan out, and see it proved; returns it."""
    before = {"box": fleet.hosts["box"].state()}
    plan = fleet.plan(hosts, VAULT)
    fleet.apply(plan, VAULT)
    assert not unproven(plan, before, {"box": fleet.hosts["box"].state()}, VAULT)
    assert not fleet.plan(hosts, VAULT)
    assert not fleet.plan(fleet.applied(hosts), VAULT, scope=Scope.DRIFT)
    return plan


def verbs(plan: Plan) -> list[tuple[Verb, tuple[str, ...]]]:
    stacks = [stack for host in plan.hosts for stack in host.stacks]
    operations = [operation for stack in stacks for operation in stack.operations]
    return [(o.verb, o.services) for o in operations if isinstance(o, ServiceOperation)]


def test_what_is_unchanged_is_started_again(fleet: SimulatedFleet) -> None:
    before = fleet.hosts["box"].containers[PROXY]["Id"]
    off = apply(fleet, wanted("{enabled: {proxy: false}}"))
    assert verbs(off) == [(Verb.STOP, ("proxy",))]
    on = apply(fleet, wanted())
    assert verbs(on) == [(Verb.START, ("proxy",))]
    assert {change.cause for change in on.changes} == {Cause.PENDING}
    assert fleet.hosts["box"].containers[PROXY]["Id"] == before


def test_what_changed_meanwhile_is_made_anew_and_nobody_did_it_by_hand(
    fleet: SimulatedFleet,
) -> None:
    apply(fleet, wanted("{enabled: false}"))
    changed = apply(fleet, wanted("{enabled: false, workers: 3, jobs: [print]}"))
    assert verbs(changed) == []
    on = apply(fleet, wanted("{workers: 3, jobs: [print]}"))
    assert (Verb.RECREATE, ("app",)) in verbs(on)
    assert (Verb.RECREATE, ("worker",)) in verbs(on)
    assert (Verb.START, ("proxy",)) in verbs(on)
    assert {change.cause for change in on.changes} == {Cause.PENDING}


def test_the_last_one_is_stopped_first(fleet: SimulatedFleet) -> None:
    off = apply(fleet, wanted("{enabled: false}"))
    assert verbs(off) == [
        (Verb.STOP, ("worker",)),
        (Verb.STOP, ("app",)),
        (Verb.STOP, ("proxy",)),
    ]


def test_somebody_starting_it_is_drift(fleet: SimulatedFleet) -> None:
    off = wanted("{enabled: false}")
    apply(fleet, off)
    fleet.hosts["box"].containers[PROXY]["State"]["Status"] = "running"
    [change] = fleet.plan(off, VAULT).changes
    assert (change.cause, change.field, change.after) == (Cause.DRIFT, "state", "stopped")
    assert verbs(apply(fleet, off)) == [(Verb.STOP, ("proxy",))]


def test_a_missing_container_of_it_is_nothing(fleet: SimulatedFleet) -> None:
    off = wanted("{enabled: false}")
    apply(fleet, off)
    del fleet.hosts["box"].containers[PROXY]
    assert not fleet.plan(off, VAULT)
    assert verbs(apply(fleet, wanted()))[0] == (Verb.CREATE, ("proxy",))


def test_going_back_starts_what_was_stopped_and_stops_what_was_started(
    fleet: SimulatedFleet,
) -> None:
    running = parse_manifest(fleet.hosts["box"].manifest).stacks["web"]
    off = fleet.plan(wanted("{enabled: {proxy: false}}"), VAULT).hosts[0].stacks[0]
    back = [o for o in going_back(off, running) if isinstance(o, ServiceOperation)]
    assert back == [ServiceOperation(Verb.RESTART, ("proxy",))]

    apply(fleet, wanted("{enabled: {proxy: false}}"))
    resting = parse_manifest(fleet.hosts["box"].manifest).stacks["web"]
    on = fleet.plan(wanted(), VAULT).hosts[0].stacks[0]
    back = [o for o in going_back(on, resting) if isinstance(o, ServiceOperation)]
    assert back == [ServiceOperation(Verb.STOP, ("proxy",))]


def test_a_generation_remembers_what_rested(fleet: SimulatedFleet) -> None:
    apply(fleet, wanted("{enabled: {proxy: false}}"))
    manifest = parse_manifest(fleet.hosts["box"].manifest)
    kept = kept_host("box", "/opt/paisctl", manifest)
    assert kept.stacks["web"].resting == ("proxy",)
    apply(fleet, wanted())
    assert verbs(fleet.plan({"box": kept}, VAULT)) == [(Verb.STOP, ("proxy",))]


def test_status_calls_it_disabled(fleet: SimulatedFleet) -> None:
    off = wanted("{enabled: {proxy: false}}")
    states = {"box": fleet.hosts["box"].state()}
    [row] = [r for r in survey(off, states, fleet.plan(off, VAULT)) if r.service == "proxy"]
    assert (row.state, row.differs) == ("running", "pending")
    apply(fleet, off)
    states = {"box": fleet.hosts["box"].state()}
    [row] = [r for r in survey(off, states, fleet.plan(off, VAULT)) if r.service == "proxy"]
    assert (row.state, row.differs) == (DISABLED, "")
