"""A Compose project of somebody else that becomes a stack: what stays, what is made anew, what is refused."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from paisctl.manifest import parse_manifest
from paisctl.operation import RemoveContainer, ServiceOperation, Verb
from paisctl.plan import Plan
from paisctl.proof import unproven
from paisctl.reconcile import Adoption, reconcile_host
from tests.simulated.fleet import SimulatedFleet
from tests.unit.test_plan_cases import CASES
from tests.unit.test_resting import VAULT, apply, verbs, wanted


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedFleet:
    """`web` runs just as wanted, in the same folder, but paisctl knows nothing of it."""
    monkeypatch.chdir(shutil.copytree(CASES / "fleet", tmp_path / "fleet"))
    fleet = SimulatedFleet(wanted())
    apply(fleet, wanted())
    box = fleet.hosts["box"]
    for container in box.containers.values():
        labels = container["Config"]["Labels"]
        if labels["com.docker.compose.project"] == "web":
            container["Config"]["Labels"] = {
                k: v for k, v in labels.items() if not k.startswith("paisctl.")
            }
    document = json.loads(box.manifest)
    del document["stacks"]["web"]
    box.manifest = json.dumps(document)
    box.files["stacks/web/compose.yaml"] = ("0644", b"services: {}")  # as they wrote it
    return fleet


def planned(fleet: SimulatedFleet, *, new_mounts: bool = False, settings: str = "{}") -> Plan:
    spec, state = wanted(settings)["box"], fleet.hosts["box"].state()
    adoption = Adoption(new_mounts)
    return Plan((reconcile_host(spec, state, VAULT, frozenset({"web"}), adoption=adoption),))


def carry_out(fleet: SimulatedFleet, plan: Plan) -> None:
    before = {"box": fleet.hosts["box"].state()}
    fleet.apply(plan, VAULT)
    assert not unproven(plan, before, {"box": fleet.hosts["box"].state()}, VAULT)


def ids(fleet: SimulatedFleet) -> dict[str, str]:
    return {name: each["Id"] for name, each in fleet.hosts["box"].containers.items()}


def edit(fleet: SimulatedFleet, name: str, part: str, **values: Any) -> None:
    fleet.hosts["box"].containers[name][part] |= values


def test_what_is_as_wanted_stays(fleet: SimulatedFleet) -> None:
    before = ids(fleet)
    plan = planned(fleet)
    assert verbs(plan) == []
    adopted = [change.subject for change in plan.changes if change.reason == "adopted as it runs"]
    assert adopted == ["service app", "service proxy", "service worker"]
    carry_out(fleet, plan)
    assert ids(fleet) == before
    assert not fleet.plan(wanted(), VAULT)
    assert not fleet.plan(fleet.applied(wanted()), VAULT)  # nor to go back to this generation
    entry = parse_manifest(fleet.hosts["box"].manifest).stacks["web"]
    assert set(entry.adopted) == {i for n, i in before.items() if n.startswith("web-")}


def test_apply_does_not_take_it_over(fleet: SimulatedFleet) -> None:
    [refusal] = fleet.plan(wanted(), VAULT).refused
    assert "paisctl adopt box web" in refusal.hint


def test_apply_does_not_go_on_with_what_was_adopted_in_part(fleet: SimulatedFleet) -> None:
    """Else it would make the rest anew, and ask nothing about its mounts."""
    spec = wanted()["box"].stacks["web"].services["app"]
    labels = fleet.hosts["box"].containers["web-app-1"]["Config"]["Labels"]
    labels |= {"paisctl.stack": "web", "paisctl.digest": spec.digest}
    plan = fleet.plan(wanted(), VAULT)
    assert not plan.changes
    [refusal] = plan.refused
    assert "did not make all of" in refusal.problem
    before = ids(fleet)
    carry_out(fleet, planned(fleet))
    assert ids(fleet) == before


def test_what_differs_is_made_anew_and_said(fleet: SimulatedFleet) -> None:
    before = ids(fleet)
    edit(fleet, "web-app-1", "HostConfig", Memory=5 * 2**20)
    plan = planned(fleet)
    assert verbs(plan) == [(Verb.RECREATE, ("app",))]
    assert "memory limit 5 MiB → 1 GiB" in str(plan)
    carry_out(fleet, plan)
    assert {name for name, each in ids(fleet).items() if before[name] != each} == {"web-app-1"}
    assert not fleet.plan(wanted(), VAULT)
    entry = parse_manifest(fleet.hosts["box"].manifest).stacks["web"]
    assert set(entry.adopted) == {before["web-proxy-1"], before["web-worker-1"]}


def test_a_later_change_makes_it_anew_and_forgets_it(fleet: SimulatedFleet) -> None:
    carry_out(fleet, planned(fleet))
    adopted = parse_manifest(fleet.hosts["box"].manifest).stacks["web"].adopted
    app = ids(fleet)["web-app-1"]
    change = apply(fleet, wanted("{open_files: 2048}"))  # not visible in any field
    assert verbs(change) == [(Verb.RECREATE, ("app",))]
    later = parse_manifest(fleet.hosts["box"].manifest).stacks["web"].adopted
    assert later == {key: value for key, value in adopted.items() if key != app}


def test_drift_of_it_is_mended(fleet: SimulatedFleet) -> None:
    carry_out(fleet, planned(fleet))
    edit(fleet, "web-app-1", "HostConfig", Memory=5 * 2**20)
    [change] = fleet.plan(wanted(), VAULT).changes
    assert str(change).startswith("! box/compose:web service app memory limit")
    assert "changed by hand" in change.reason


def test_it_rests_and_wakes_as_it_runs(fleet: SimulatedFleet) -> None:
    carry_out(fleet, planned(fleet))
    before = ids(fleet)
    apply(fleet, wanted("{enabled: false}"))
    apply(fleet, wanted())
    assert ids(fleet) == before


def test_a_stopped_one_is_started(fleet: SimulatedFleet) -> None:
    edit(fleet, "web-proxy-1", "State", Status="exited", ExitCode=1)
    assert verbs(planned(fleet)) == [(Verb.START, ("proxy",))]


@pytest.mark.parametrize(
    ("mount", "said"),
    [
        ({"Source": "/home/ann/data"}, "has /data in /home/ann/data, which would be /srv/data"),
        (
            {"Type": "volume", "Name": "web_data", "Source": "/var/lib/x"},
            "has /data in web_data, which would be /srv/data",
        ),
        ({"Destination": "/old"}, "has /old in /srv/data, which would not be mounted"),
        (
            {"Type": "volume", "Name": "f" * 64, "Source": "/var/lib/x"},
            "has /data in itself, which would be /srv/data",
        ),
    ],
)
def test_data_is_not_left_behind(fleet: SimulatedFleet, mount: Any, said: str) -> None:
    container = fleet.hosts["box"].containers["web-app-1"]
    [data] = [each for each in container["Mounts"] if each["Destination"] == "/data"]
    data |= mount
    plan = planned(fleet)
    [refusal] = plan.refused
    assert said in refusal.problem
    assert "--accept-new-mounts" in refusal.hint
    assert not plan

    accepted = planned(fleet, new_mounts=True)
    assert verbs(accepted) == [(Verb.RECREATE, ("app",))]
    [change] = [each for each in accepted.changes if each.field == "mounts"]
    assert change.reason == "what is in the old mounts stays there"


def test_files_in_another_folder_are_no_data(fleet: SimulatedFleet) -> None:
    container = fleet.hosts["box"].containers["web-app-1"]
    [files] = [each for each in container["Mounts"] if each["Destination"] == "/etc/app"]
    files["Source"] = "/home/ann/web/app"
    plan = planned(fleet)
    assert not plan.refused
    assert verbs(plan) == [(Verb.RECREATE, ("app",))]


def test_what_the_stack_does_not_have_is_not_removed(fleet: SimulatedFleet) -> None:
    containers = fleet.hosts["box"].containers
    extra = copy.deepcopy(containers["web-app-1"])
    extra |= {"Id": "feed", "Name": "/web-extra-1"}
    extra["Config"]["Labels"]["com.docker.compose.service"] = "extra"
    containers["web-extra-1"] = extra
    [refusal] = planned(fleet).refused
    assert "also has extra, which the stack does not have" in refusal.problem


def test_a_second_container_is_shown_and_removed(fleet: SimulatedFleet) -> None:
    containers = fleet.hosts["box"].containers
    second = copy.deepcopy(containers["web-app-1"]) | {"Id": "feed", "Name": "/web-app-2"}
    containers["web-app-2"] = second
    [stack] = planned(fleet).hosts[0].stacks
    assert RemoveContainer("feed", "web-app-2") in stack.operations
    assert not [o for o in stack.operations if isinstance(o, ServiceOperation)]


def test_what_is_managed_or_not_there_is_not_adopted(fleet: SimulatedFleet) -> None:
    carry_out(fleet, planned(fleet))
    [refusal] = planned(fleet).refused
    assert "manages it already" in refusal.problem
    fleet = SimulatedFleet(wanted())
    [refusal] = planned(fleet).refused
    assert "there is no Compose project `web`" in refusal.problem


def test_other_stacks_have_the_lines_they_always_had(fleet: SimulatedFleet) -> None:
    """So that no host is told to keep its files anew under another name."""
    carry_out(fleet, planned(fleet))
    stacks = json.loads(fleet.hosts["box"].manifest)["stacks"]
    assert stacks["db"].keys().isdisjoint({"adopted", "resting"})
    assert "resting" not in stacks["web"]
