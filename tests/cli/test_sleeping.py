"""A device that is asleep, one that is not reached, and what is held, as a person reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from paisctl.cli.app import run
from paisctl.errors import HostUnreachable
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
        connected.append(FakeTransport([probe.reply(host), Reply(b"@paisctl kept\n")]))
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


def test_what_nobody_remembers(hosts: SimulatedFleet, session: Session) -> None:
    hosts.hosts["box"].remembered = ()
    away(hosts, "mac")
    session("asleep-unknown", "paisctl plan", "paisctl plan mac --json")


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
