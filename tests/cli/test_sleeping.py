"""A device that is asleep, one that is not reached, and what is held, as a person reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from paisctl.cli.app import run
from paisctl.errors import AuthenticationRefused, HostUnreachable
from paisctl.hold import Hold
from paisctl.memory import to_remember
from paisctl.plan import Plan
from paisctl.transports import SshSettings
from paisctl.transports.fake import FakeTransport, Reply
from tests.cli.conftest import Session
from tests.cli.test_hosts import VAULT
from tests.simulated import probe
from tests.simulated.fleet import SimulatedFleet, rendered

INVENTORY = Path("inventory/pais.yaml")
EPOCH = probe.EPOCH


@pytest.fixture
def connected() -> list[FakeTransport]:
    """The connections that were made, in order."""
    return []


@pytest.fixture
def hosts(
    fleet: Path, monkeypatch: pytest.MonkeyPatch, connected: list[FakeTransport]
) -> SimulatedFleet:
    """Three hosts as wanted; the mac need not be on, and the box remembers it."""
    document = yaml.safe_load(INVENTORY.read_text())
    box = document["devices"]["box"]
    for number, (name, more) in enumerate({"nas": {}, "mac": {"required": False}}.items(), 2):
        other = box | {"address": f"100.64.0.{number}", "stacks": {"db": None}} | more
        document["devices"][name] = other
    INVENTORY.write_text(yaml.safe_dump(document, sort_keys=False))
    wanted = rendered([INVENTORY], fleet)
    simulated = SimulatedFleet(wanted)
    simulated.apply(simulated.plan(wanted, VAULT), VAULT)
    names = dict(zip((f"100.64.0.{n}" for n in (1, 2, 3)), simulated.hosts, strict=True))

    def connect(settings: SshSettings) -> FakeTransport:
        host = simulated.hosts[names[settings.host]]
        if host.problem:
            return FakeTransport(refuses=HostUnreachable(host.problem, "ping it"))
        answer = Reply(b"@paisctl kept\n@paisctl done\n")
        connected.append(FakeTransport([probe.reply(host), answer]))
        return connected[-1]

    monkeypatch.setattr("paisctl.targets.SshTransport", connect)
    states = {name: host.state() for name, host in simulated.hosts.items()}
    (record,) = to_remember(Plan(()), states, states, ["mac"])
    text = json.dumps({**json.loads(record.to_json()), "applied": "2026-11-18T09:30:00Z"})
    simulated.hosts["box"].remembered = (f"/opt/paisctl/fleet/mac.json:{text}",)
    return simulated


def away(hosts: SimulatedFleet, *devices: str) -> None:
    for device in devices:
        hosts.hosts[device].problem = f"{device} did not answer within 5 s"


def change() -> None:
    INVENTORY.write_text(INVENTORY.read_text().replace("tag: '16.1'", "tag: '16.2'"))


def hold(hosts: SimulatedFleet, device: str, stack: str, reason: str) -> None:
    placed = Hold(stack, EPOCH + 4 * 3600, reason, "ann", "laptop", EPOCH)
    line = f"/opt/paisctl/holds/{placed.name}.json:{placed.to_json()}"
    hosts.hosts[device].holds += (line,)


def test_what_is_asleep_or_held_is_not_adopted(hosts: SimulatedFleet, session: Session) -> None:
    """It was asked for by name, and is not done: so that it fails."""
    box = hosts.hosts["box"]
    document = json.loads(box.manifest)
    del document["stacks"]["db"]
    box.manifest = json.dumps(document)
    hold(hosts, "box", "db", "disk is being changed")
    away(hosts, "mac")
    session("adopt-later", "paisctl adopt mac db --yes", "paisctl adopt box db --yes")


def test_asleep(hosts: SimulatedFleet, session: Session) -> None:
    away(hosts, "mac")
    session(
        "asleep",
        "paisctl plan --detailed-exitcode",
        "paisctl apply --yes",
        "paisctl status",
        "paisctl status mac --json",
        "paisctl plan mac",
    )


@pytest.mark.usefixtures("hosts")
def test_one_that_does_not_let_us_in_is_not_asleep(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = AuthenticationRefused("mac refuses to let us in", "ssh-copy-id mac")
    monkeypatch.setattr("paisctl.targets.SshTransport", lambda _: FakeTransport(refuses=refused))
    assert run(["plan", "mac", "--detailed-exitcode", "--skip-unreachable"]) == 4
    said = capsys.readouterr().out
    assert "? mac  mac refuses to let us in" in said
    assert "asleep" not in said


def test_what_a_sleeping_device_owes(hosts: SimulatedFleet, session: Session) -> None:
    away(hosts, "mac")
    change()
    session(
        "owed",
        "paisctl plan",
        "paisctl plan --detailed-exitcode --format markdown",
        "paisctl status",
        "paisctl apply --canary mac --yes",
    )


def test_a_saved_plan_of_a_device_that_fell_asleep(
    hosts: SimulatedFleet,
    session: Session,
    capsys: pytest.CaptureFixture[str],
    connected: list[FakeTransport],
) -> None:
    change()
    assert run(["plan", "mac", "box", "-o", "plan.json"]) == 0
    assert run(["plan", "mac", "-o", "alone.json"]) == 0
    capsys.readouterr()
    hold(hosts, "box", "", "disks are being swapped")  # so that nothing is left to do there
    away(hosts, "mac")
    session("fell-asleep", "paisctl apply plan.json --yes", "paisctl apply alone.json --yes")
    assert b'"owed_since": "2' in connected[-1].stdins[-1]


def test_a_saved_plan_of_a_required_host_that_is_away(
    hosts: SimulatedFleet, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    change()
    assert run(["plan", "nas", "-o", "plan.json"]) == 0
    capsys.readouterr()
    away(hosts, "nas")
    session(
        "saved-away",
        "paisctl apply plan.json --yes",
        "paisctl apply plan.json --yes --skip-unreachable",
    )


def test_what_nobody_remembers(hosts: SimulatedFleet, session: Session) -> None:
    hosts.hosts["box"].remembered = ()
    away(hosts, "mac")
    session("asleep-unknown", "paisctl plan", "paisctl plan mac --json")


def test_an_apply_that_has_nothing_to_do_still_has_it_remembered(
    hosts: SimulatedFleet, connected: list[FakeTransport]
) -> None:
    hosts.hosts["box"].remembered = ()
    assert run(["apply", "--yes"]) == 0
    written = [each.stdins[-1] for each in connected if len(each.stdins) == 2]
    assert len(written) == 2  # the box and the nas, and not the mac itself
    assert all(b"FOLDER=fleet" in text and b"NAME=mac" in text for text in written)


def test_hosts_that_are_required_can_be_skipped(hosts: SimulatedFleet, session: Session) -> None:
    away(hosts, "nas", "mac")
    change()
    session(
        "skip-unreachable",
        "paisctl plan --detailed-exitcode",
        "paisctl plan --detailed-exitcode --skip-unreachable",
        "paisctl status --skip-unreachable",
        "paisctl diff nas --skip-unreachable",
    )


def test_what_is_held(hosts: SimulatedFleet, session: Session) -> None:
    hold(hosts, "box", "db", "reindexing until the weekend")
    hold(hosts, "nas", "", "disks are being swapped")
    change()
    session(
        "held",
        "paisctl plan --detailed-exitcode",
        "paisctl plan box nas --detailed-exitcode",
        "paisctl apply box nas --yes",
        "paisctl plan nas --json",
        "paisctl plan nas --format markdown",
        "paisctl status",
        "paisctl hold nas/dbx --until 2h --reason x",
        "paisctl hold nas --until tomorrow --reason x",
        "paisctl hold 'n*' --until 2h --reason x",
        "paisctl hold nas --until 2h --reason ''",
        "paisctl release mac",
        "paisctl release nas/db",
    )


def test_a_device_that_is_asleep_cannot_be_held(hosts: SimulatedFleet, session: Session) -> None:
    away(hosts, "mac")
    session(
        "hold-asleep", "paisctl hold mac --until 2h --reason 'on a trip'", "paisctl release mac"
    )


@pytest.mark.parametrize("stack", ["../db", "db/x", "_device", "", "Db", ".."])
def test_what_is_held_is_a_stack_also_where_the_manifest_is_damaged(
    stack: str, hosts: SimulatedFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts.hosts["nas"].manifest = "{"
    assert run(["hold", f"nas/{stack}", "--until", "2h", "--reason", "x"]) == 64
    assert f"there is no stack `{stack}` on nas" in capsys.readouterr().err


@pytest.mark.parametrize(("what", "name"), [("nas", "_device"), ("nas/db", "db")])
@pytest.mark.usefixtures("hosts")
def test_a_hold_is_written_on_its_host_and_counted_by_its_clock(
    what: str, name: str, connected: list[FakeTransport], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["hold", what, "--until", "2h", "--reason", "disks"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{what} is held until 2026-11-22 16:00 UTC by ")
    assert said.out.endswith(": disks\n")
    assert f"end it earlier: paisctl release {what}\n" in said.err
    sent = connected[-1].stdins[-1].decode()
    assert f"NAME={name}\n" in sent
    assert f'"until": {EPOCH + 7200}' in sent


def test_a_hold_is_released(
    hosts: SimulatedFleet, connected: list[FakeTransport], capsys: pytest.CaptureFixture[str]
) -> None:
    hold(hosts, "nas", "db", "disks")
    assert run(["release", "nas/db"]) == 0
    said = capsys.readouterr().out
    assert said == (
        "released nas/db, which was held until 2026-11-22 18:00 UTC by ann@laptop: disks\n"
    )
    assert "TEXT=''" in connected[-1].stdins[-1].decode()
