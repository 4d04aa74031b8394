"""Plans that are saved, shown, and refused where the host has moved in between."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from paisctl import plan_file
from paisctl.cli.app import run
from paisctl.plan import Plan
from paisctl.saved_plan import digest_of
from paisctl.transports.fake import FakeTransport
from tests.cli.conftest import Session
from tests.cli.test_hosts import VAULT, applied
from tests.cli.test_hosts import box as _box
from tests.simulated import probe
from tests.simulated.fleet import SimulatedFleet, rendered
from tests.unit.test_execute import event

box = _box
Save = Callable[[str], None]
INVENTORY = Path("inventory/pais.yaml")


@pytest.fixture
def pending(box: SimulatedFleet) -> SimulatedFleet:
    """All is applied; then the inventory changes, and the host does."""
    host = applied(box)
    INVENTORY.write_text(INVENTORY.read_text().replace('tag: "2.0"', 'tag: "2.1"'))
    host.containers["web-app-1"]["HostConfig"]["Memory"] = 512 * 2**20
    return box


@pytest.fixture
def save(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Save a plan, and say nothing of it."""

    def quietly(name: str) -> None:
        assert run(["plan", "-o", name]) == 0
        capsys.readouterr()

    return quietly


def without_version(name: str) -> None:
    """The version of paisctl is in the file, and must not be in what a test expects."""
    path = Path(name)
    path.write_text(re.sub(r'"paisctl": "[^"]+"', '"paisctl": "N"', path.read_text()))


@pytest.mark.usefixtures("pending")
def test_a_plan_is_saved_and_shown(session: Session, save: Save) -> None:
    session("saved-plan", "paisctl plan -o plan.json")
    first = Path("plan.json").read_bytes()
    save("plan.json")
    assert Path("plan.json").read_bytes() == first
    without_version("plan.json")
    session("saved-show", "paisctl show plan.json", "paisctl show ./plan.json")


@pytest.mark.usefixtures("pending")
def test_drift_is_left_alone_or_all_there_is(session: Session) -> None:
    session(
        "plan-scopes",
        "paisctl plan --ignore-drift --detailed-exitcode",
        "paisctl plan --only-drift --detailed-exitcode -o drift.json",
        "paisctl plan --only-drift --ignore-drift",
    )
    INVENTORY.write_text(INVENTORY.read_text().replace('tag: "2.1"', 'tag: "2.0"'))
    session("plan-only-drift-there", "paisctl plan --ignore-drift")
    without_version("drift.json")
    session("saved-show-drift", "paisctl show drift.json")


def test_a_host_that_moved_is_refused(
    pending: SimulatedFleet, session: Session, save: Save
) -> None:
    save("plan.json")
    host = pending.hosts["box"]
    host.containers["web-worker-1"]["Id"] = "f" * 64
    host.files["stacks/web/motto.txt"] = ("0644", b"Bye\n")
    host.manifest = host.manifest.replace('"generation": 1', '"generation": 2')
    session(
        "saved-moved",
        "paisctl apply plan.json",
        "paisctl apply plan.json --replan-moved",
    )


@pytest.mark.usefixtures("pending")
def test_what_a_saved_plan_does_not_go_with(session: Session, save: Save) -> None:
    save("plan.json")
    Path("other.json").write_text('{"format": 1}\n')
    Path("cut.json").write_text(Path("plan.json").read_text()[:-100])
    Path("newer.json").write_text(Path("plan.json").read_text().replace('t": 1', 't": 9', 1))
    session(
        "saved-usage",
        "paisctl apply plan.json box",
        "paisctl apply plan.json --stack web",
        "paisctl apply plan.json --only-drift",
        "paisctl apply box --replan-moved",
        "paisctl apply box --wait soon",
        "paisctl apply nowhere.json",
        "paisctl show nowhere.json",
        "paisctl apply other.json",
        "paisctl apply cut.json",
        "paisctl show newer.json",
        "paisctl plan -o inventory/pais.yaml",
        "paisctl plan -o nowhere/plan.json",
    )


def test_a_saved_plan_and_another_inventory(
    pending: SimulatedFleet, session: Session, save: Save
) -> None:
    del pending.hosts["box"].containers["db-db-1"]
    save("plan.json")
    secrets = Path("inventory/secrets.yaml")
    values, text = secrets.read_text(), INVENTORY.read_text()
    secrets.write_text(values.replace("correct horse", "battery staple"))
    session("saved-secrets", "paisctl apply plan.json")
    secrets.write_text(values)
    INVENTORY.write_text(text.replace("name: cases", "name: others"))
    session("saved-fleet", "paisctl apply plan.json")
    INVENTORY.write_text(text.replace("  box:\n", "  crate:\n"))
    session("saved-device", "paisctl apply plan.json")


def test_a_device_goes_before_a_file_of_its_name(
    pending: SimulatedFleet, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    save("plan")
    save("box")
    assert run(["show", "plan"]) == 0
    assert "Plan: " in capsys.readouterr().out
    assert run(["show", "box"]) == 0
    assert "Plan: " not in capsys.readouterr().out
    assert pending.hosts


def test_nothing_to_do_is_a_plan_too(box: SimulatedFleet, session: Session) -> None:
    applied(box)
    session("saved-nothing", "paisctl plan -o plan.json", "paisctl apply plan.json")


# --- carrying out, by hosts that play what a simulated one would do -----------------------------


def play(box: SimulatedFleet, monkeypatch: pytest.MonkeyPatch, plan: Plan) -> FakeTransport:
    """Have the next connection find the host as it is, and then as a plan leaves it."""
    before = probe.reply(box.hosts["box"])
    box.apply(plan, VAULT)
    stacks = [stack.name for host in plan.hosts for stack in host.stacks]
    events = ["ready", "locking", "locked"]
    said = "".join(event(kind) for kind in events)
    said += "".join(event("waiting", name) + event("applied", name) for name in stacks)
    said += event("observation")
    transport = FakeTransport([before, probe.reply(box.hosts["box"], said.encode())])
    monkeypatch.setattr("paisctl.targets.SshTransport", lambda _: transport)
    return transport


def test_just_what_was_saved_is_carried_out(
    pending: SimulatedFleet,
    save: Save,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save("plan.json")
    saved = plan_file.read(Path("plan.json"))
    INVENTORY.write_text(INVENTORY.read_text().replace('tag: "2.1"', 'tag: "2.2"'))
    host = play(pending, monkeypatch, saved.plan)

    assert run(["apply", "plan.json"]) == 0

    sent = bytes(host.stdins[1])
    assert b"example/app:2.1" in sent
    assert b"example/app:2.2" not in sent
    assert digest_of(saved.plan).encode() in sent
    said = capsys.readouterr().out
    assert "2.0 → 2.1" in said
    assert said.endswith("Done: 1 stack applied on 1 host.\n")


def test_what_is_not_as_the_plan_wanted_is_said(
    pending: SimulatedFleet,
    save: Save,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save("plan.json")
    saved = plan_file.read(Path("plan.json"))
    [host] = saved.plan.hosts
    [stack] = host.stacks
    idle = replace(stack, operations=())  # the host says it is done, and has done nothing
    play(pending, monkeypatch, Plan((replace(host, stacks=(idle,)),)))

    assert run(["apply", "plan.json"]) == 1

    said = capsys.readouterr().out
    assert said.count("applied, but it still differs") == len(host.changes) + 1  # its compose.yaml


def test_what_was_left_alone_is_no_failure(
    pending: SimulatedFleet,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pending.hosts["box"].files["stacks/web/motto.txt"] = ("0644", b"Bye\n")
    assert run(["plan", "--ignore-drift", "-o", "plan.json"]) == 0
    play(pending, monkeypatch, plan_file.read(Path("plan.json")).plan)
    capsys.readouterr()

    assert run(["apply", "plan.json"]) == 0

    assert pending.hosts["box"].files["stacks/web/motto.txt"] == ("0644", b"Bye\n")
    assert "Done: 1 stack applied on 1 host." in capsys.readouterr().out


def test_a_host_that_moved_is_planned_anew(
    pending: SimulatedFleet,
    save: Save,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save("plan.json")
    pending.hosts["box"].files["stacks/web/motto.txt"] = ("0644", b"Bye\n")
    anew = pending.plan(rendered([INVENTORY], Path()), VAULT)
    play(pending, monkeypatch, anew)

    assert run(["apply", "plan.json", "--replan-moved", "--yes"]) == 0

    said = capsys.readouterr().out
    assert "file stacks/web/motto.txt was edited" in said
    assert "file motto.txt\n    drift, edited on the host" in said
    assert pending.hosts["box"].files["stacks/web/motto.txt"] == ("0644", b"Hello\n")
