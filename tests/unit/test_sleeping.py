"""Devices that are asleep: what plans make of them, what they owe, and who remembers it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from paisctl.desired import HostSpec
from paisctl.memory import to_remember
from paisctl.observed import HostState
from paisctl.owing import Owed, Record, newest, owed_by, record_of, remembered_by
from paisctl.plan import HostPlan, Plan, StackPlan
from paisctl.reconcile.sleeping import with_owed
from paisctl.resume import without
from paisctl.secrets import Vault
from paisctl.session import Session
from tests.simulated.fleet import SimulatedFleet, rendered
from tests.unit.test_plan_cases import CASES

VAULT = Vault({"db_password": "correct horse"}, "key")
# `box` is always on; `mac` may sleep, and has the database that `box` has a client of.
MAC = """
devices:
  mac: {model: Mac, kind: linux, layer: edge, role: Laptop, arch: amd64, memory: 8GiB, storage: 1 TB,
        address: 100.64.0.2, required: false, stacks: {db: }}
"""


@pytest.fixture
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shutil.copytree(CASES / "fleet", tmp_path / "fleet"))
    Path("mac.yaml").write_text(MAC)


def wanted(edit: str = "{}") -> Mapping[str, HostSpec]:
    Path("edit.yaml").write_text(edit)
    return rendered([Path("inventory.yaml"), Path("mac.yaml"), Path("edit.yaml")], Path.cwd())


@pytest.fixture
def fleet(_project: None) -> SimulatedFleet:
    """Both devices as wanted, and the mac asleep."""
    fleet = SimulatedFleet(wanted())
    fleet.apply(fleet.plan(wanted(), VAULT), VAULT)
    return fleet


def sleep(fleet: SimulatedFleet, device: str = "mac") -> None:
    host = fleet.hosts[device]
    host.problem, host.is_away = f"{device} did not answer within 5 s", True


def wake(fleet: SimulatedFleet, device: str = "mac") -> None:
    host = fleet.hosts[device]
    host.problem, host.is_away = "", False


def states(fleet: SimulatedFleet) -> dict[str, HostState]:
    return {name: host.state() for name, host in fleet.hosts.items()}


def plan_of(
    fleet: SimulatedFleet, hosts: Mapping[str, HostSpec], *, skips_away: bool = False
) -> Plan:
    return Session(hosts, VAULT, {}, states(fleet), skips_away=skips_away).plan()


def remembered(fleet: SimulatedFleet, plan: Plan, before: Mapping[str, HostState]) -> list[Record]:
    """What is to be remembered after a plan was carried out; the box takes it down."""
    records = to_remember(plan, before, {**before, **states(fleet)}, ["mac"])
    fleet.hosts["box"].remembered = tuple(
        f"/r/fleet/{record.device}.json:{record.to_json()}" for record in records
    )
    return records


def host_of(plan: Plan, device: str) -> HostPlan:
    return next(host for host in plan.hosts if host.device == device)


def test_a_device_that_need_not_be_on_is_asleep_and_no_problem(fleet: SimulatedFleet) -> None:
    sleep(fleet)
    plan = plan_of(fleet, wanted())
    assert plan.is_whole
    assert not plan
    assert [(h.device, h.asleep) for h in plan.asleep] == [("mac", "mac did not answer within 5 s")]


def test_one_that_is_required_is_a_problem_unless_all_may_be_away(fleet: SimulatedFleet) -> None:
    sleep(fleet, "box")
    assert [host.device for host in plan_of(fleet, wanted()).problems] == ["box"]
    skipping = plan_of(fleet, wanted(), skips_away=True)
    assert [host.device for host in skipping.asleep] == ["box"]
    assert skipping.is_whole


def test_one_that_answers_and_cannot_be_read_is_not_asleep(fleet: SimulatedFleet) -> None:
    fleet.hosts["mac"].problem = "docker was not found"
    plan = plan_of(fleet, wanted(), skips_away=True)
    assert [host.problem for host in plan.problems] == ["docker was not found"]
    assert not plan.asleep


def test_who_needs_something_of_it_goes_on(fleet: SimulatedFleet) -> None:
    sleep(fleet)
    plan = plan_of(fleet, wanted("{stacks: {web: {images: {app: {tag: '2.1'}}}}}"))
    assert [stack.name for stack in host_of(plan, "box").stacks] == ["web"]


def test_while_it_is_awake_what_it_was_given_is_remembered(fleet: SimulatedFleet) -> None:
    before = states(fleet)
    plan = plan_of(fleet, wanted())
    (record,) = remembered(fleet, plan, before)
    assert (record.device, record.generation, set(record.stacks)) == ("mac", 1, {"db"})
    assert record.owed_since == ""
    assert newest(states(fleet).values()) == {"mac": record}


def test_what_is_remembered_and_true_is_not_written_again(fleet: SimulatedFleet) -> None:
    (record,) = remembered(fleet, plan_of(fleet, wanted()), states(fleet))
    assert remembered(fleet, plan_of(fleet, wanted()), states(fleet)) == [record]


def test_what_nobody_remembers_nobody_knows(fleet: SimulatedFleet) -> None:
    sleep(fleet)
    assert host_of(plan_of(fleet, wanted()), "mac").owed is None


def test_what_it_owes_follows_from_what_it_was_given(fleet: SimulatedFleet) -> None:
    remembered(fleet, plan_of(fleet, wanted()), states(fleet))
    sleep(fleet)
    assert host_of(plan_of(fleet, wanted()), "mac").owed == Owed((), "", owed(fleet, "{}").as_of)
    assert owed(fleet, "{stacks: {db: {images: {db: {tag: '16.2'}}}}}").stacks == (
        ("db", "changed"),
    )
    assert owed(fleet, "{devices: {mac: {stacks: {web: {memory: 1g}}}}}").stacks == (
        ("web", "new"),
    )
    assert owed(fleet, "{stacks: {db: {enabled: false}}}").stacks == (("db", "changed"),)
    alone = {device: replace(spec, stacks={}) for device, spec in wanted().items()}
    gone = host_of(plan_of(fleet, alone), "mac").owed
    assert gone
    assert gone.stacks == (("db", "to remove"),)


def owed(fleet: SimulatedFleet, edit: str) -> Owed:
    found = host_of(plan_of(fleet, wanted(edit)), "mac").owed
    assert found
    return found


def test_since_when_it_owes_is_when_an_apply_first_left_it_out(fleet: SimulatedFleet) -> None:
    remembered(fleet, plan_of(fleet, wanted()), states(fleet))
    sleep(fleet)
    edit = "{stacks: {db: {images: {db: {tag: '16.2'}}}}}"
    assert owed(fleet, edit).since == ""
    (first,) = remembered(fleet, plan_of(fleet, wanted(edit)), states(fleet))
    assert first.owed_since
    assert owed(fleet, edit).since == first.owed_since
    assert owed(fleet, "{}").since == ""  # nor would it be since then if it owed nothing
    long_ago = replace(first, owed_since="2026-05-04T10:20:00Z", at="2026-05-04T10:20:00Z")
    fleet.hosts["box"].remembered = (f"/r/fleet/mac.json:{long_ago.to_json()}",)
    (again,) = remembered(fleet, plan_of(fleet, wanted(edit)), states(fleet))
    assert again == long_ago  # the next apply does not begin to count anew
    (settled,) = remembered(fleet, plan_of(fleet, wanted()), states(fleet))
    assert settled.owed_since == ""  # the inventory has come back to what it has


def test_once_it_is_awake_it_is_planned_for_as_any_other(fleet: SimulatedFleet) -> None:
    remembered(fleet, plan_of(fleet, wanted()), states(fleet))
    sleep(fleet)
    hosts = wanted("{stacks: {db: {images: {db: {tag: '16.2'}}}}}")
    remembered(fleet, plan_of(fleet, hosts), states(fleet))
    wake(fleet)
    before, plan = states(fleet), plan_of(fleet, hosts)
    assert [stack.name for stack in host_of(plan, "mac").stacks] == ["db"]
    fleet.apply(plan, VAULT)
    (record,) = remembered(fleet, plan, before)
    assert (record.generation, record.owed_since) == (2, "")
    sleep(fleet)
    assert owed(fleet, "{stacks: {db: {images: {db: {tag: '16.2'}}}}}").stacks == ()


def test_the_newest_record_counts_and_damaged_ones_do_not() -> None:
    old = Record("mac", {"db": "1"}, 1, "2026-11-20T10:00:00Z", at="2026-11-20T10:00:00Z")
    new = replace(old, generation=2, at="2026-11-21T10:00:00Z")
    lines = [f"/r/fleet/mac.json:{each.to_json()}" for each in (old, new)]
    hosts = [HostState(f"h{n}", remembered=(line,)) for n, line in enumerate(lines)]
    damaged = HostState("h", remembered=("/r/fleet/mac.json:{", "/r/fleet/pi.json:[]", "x"))
    assert newest([*hosts, damaged]) == newest([damaged, *reversed(hosts)]) == {"mac": new}
    assert remembered_by(damaged) == {}


def test_who_needs_what_it_owes_is_told_so(fleet: SimulatedFleet) -> None:
    hosts = wanted("{devices: {mac: {stacks: {web: {memory: 1g}}}}}")
    remembered(fleet, plan_of(fleet, wanted()), states(fleet))
    sleep(fleet)
    box = plan_of(fleet, hosts).hosts[0]
    needing = replace(
        box, stacks=(*box.stacks, replace(_any_stack(fleet), needs=(("mac", "web"),)))
    )
    (box, _) = with_owed(
        Plan((needing, HostPlan("mac", asleep="away"))), hosts, states(fleet), VAULT
    ).hosts
    assert box.notes[-1] == "web on mac is needed here; mac is asleep and owes it"
    (box, _) = with_owed(
        Plan((needing, HostPlan("mac", asleep="away"))), wanted(), states(fleet), VAULT
    ).hosts
    assert box.notes == needing.notes  # it does not owe what it need not have


def test_who_fell_asleep_owes_what_its_saved_plan_would_have_given_it(
    fleet: SimulatedFleet,
) -> None:
    (record,) = remembered(fleet, plan_of(fleet, wanted()), states(fleet))
    sleep(fleet)
    stacks = (StackPlan("db", entry="{}"), StackPlan("web", entry="{}"), StackPlan("old"))
    session = Session({}, VAULT, {}, states(fleet))
    (mac,) = without(Plan((HostPlan("mac", stacks),)), {"mac": "away"}, session).hosts
    words = (("db", "changed"), ("web", "new"), ("old", "to remove"))
    assert (mac.asleep, mac.stacks, mac.owed) == ("away", (), Owed(words, "", record.applied))
    (mac,) = without(Plan((HostPlan("mac"),)), {"mac": "away"}, session).hosts
    assert mac.owed is None


def test_who_is_to_be_changed_now_must_be_awake(fleet: SimulatedFleet) -> None:
    sleep(fleet)
    plan = Session(wanted(), VAULT, {}, states(fleet)).demand(["db"])
    assert [host.problem for host in plan.problems] == ["mac did not answer within 5 s"]
    assert not plan.asleep


def _any_stack(fleet: SimulatedFleet) -> StackPlan:
    hosts = wanted("{stacks: {db: {images: {db: {tag: '16.3'}}}}}")
    return host_of(plan_of(fleet, hosts), "box").stacks[0]


def test_a_device_of_which_nothing_is_kept_has_nothing_to_remember(fleet: SimulatedFleet) -> None:
    fleet.hosts["mac"].manifest = "{"
    assert record_of(fleet.hosts["mac"].state()) is None
    assert remembered(fleet, plan_of(fleet, wanted()), states(fleet)) == []


def test_what_a_bundle_renders_the_same_is_not_owed(fleet: SimulatedFleet) -> None:
    (record,) = remembered(fleet, plan_of(fleet, wanted()), states(fleet))
    bundle = Path("stacks/db/bundle.yaml")
    bundle.write_text(f"{bundle.read_text()}# another comment\n")
    assert owed_by(wanted()["mac"], record, VAULT).stacks == ()
