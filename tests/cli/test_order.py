"""In which order hosts are changed: what is said before it, what stops it, and how that is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from paisctl.errors import HostUnreachable
from paisctl.hold import Hold
from paisctl.transports import SshSettings
from paisctl.transports.fake import FakeTransport
from tests.cli.conftest import Session
from tests.cli.test_hosts import VAULT
from tests.simulated import probe
from tests.simulated.fleet import SimulatedFleet, rendered
from tests.unit.test_execute import event

INVENTORY = Path("inventory/pais.yaml")
DEVICES = ("box", "m7", "nas", "pi")


@pytest.fixture
def hosts(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedFleet:
    """Four hosts that have a database to get, one of them also what uses it."""
    document = yaml.safe_load(INVENTORY.read_text())
    box = document["devices"]["box"]
    for number, name in enumerate(DEVICES[1:], 2):
        other = box | {"address": f"100.64.0.{number}", "stacks": {"db": None}}
        document["devices"][name] = other
    INVENTORY.write_text(yaml.safe_dump(document, sort_keys=False))
    simulated = SimulatedFleet(rendered([INVENTORY], fleet))
    by_address = {f"100.64.0.{n}": simulated.hosts[name] for n, name in enumerate(DEVICES, 1)}

    def connect(settings: SshSettings) -> FakeTransport:
        host = by_address[settings.host]
        return (
            FakeTransport(refuses=HostUnreachable(host.problem))
            if host.problem
            else (probe.transport(host))
        )

    monkeypatch.setattr("paisctl.targets.SshTransport", connect)
    return simulated


def apply_section(text: str) -> None:
    """Write the inventory's section `apply:`."""
    INVENTORY.write_text(f"{INVENTORY.read_text()}\napply: {text}\n")


@pytest.mark.usefixtures("hosts")
def test_the_order_is_said_before_the_question(session: Session) -> None:
    session(
        "order",
        *(
            f"paisctl apply --stack db {options}"
            for options in (
                "--canary nas",
                "--canary pi --canary nas --max-failures 0",
                "--max-parallel 2 --pause 30s --max-failures 1",
                "--max-parallel 1 --pause 5m",
                "--canary box --max-parallel 2 --pause 1m30s",
                "--max-failures 2",
                "--max-parallel 9",
                "--canary box --transaction",
            )
        ),
        "paisctl apply pi --canary pi",
    )


@pytest.mark.usefixtures("hosts")
def test_the_inventory_says_it_unless_options_do(session: Session) -> None:
    apply_section("{canary: [m7], max_parallel: 2, max_failures: 1, pause: 30s}")
    session(
        "order-inventory",
        "paisctl apply --stack db",
        "paisctl apply --stack db --canary pi --max-parallel 1 --max-failures 0 --pause 0s",
        "paisctl apply box nas pi --stack db",
    )


def test_a_canary_that_is_none(hosts: SimulatedFleet, session: Session) -> None:
    wanted = rendered([INVENTORY], Path())
    hosts.hosts["nas"].carry_out(hosts.plan(wanted, VAULT).hosts[2], VAULT)
    hosts.hosts["pi"].problem = "100.64.0.4 cannot be reached"
    session(
        "order-refused",
        "paisctl apply --stack db --canary nas",
        "paisctl apply --stack db --canary box --canary pi",
        "paisctl apply --stack db --canary boxx",
        "paisctl apply --stack db --pause 5m",
        "paisctl apply --stack db --canary box --pause soon",
        "paisctl apply --stack db --max-parallel 0",
        "paisctl apply nas --canary box",
    )


def test_a_canary_of_the_inventory_that_is_none(hosts: SimulatedFleet, session: Session) -> None:
    wanted = rendered([INVENTORY], Path())
    hosts.hosts["nas"].carry_out(hosts.plan(wanted, VAULT).hosts[2], VAULT)
    apply_section("{canary: [nas]}")
    session("order-idle-canary", "paisctl apply --stack db")
    hosts.hosts["nas"].problem = "100.64.0.3 cannot be reached"
    session(
        "order-unread-canary",
        "paisctl apply --stack db --yes",
        "paisctl apply --stack db --canary m7",
        "paisctl apply box --stack db",
    )


def test_what_the_canary_cannot_try_goes_nowhere(hosts: SimulatedFleet, session: Session) -> None:
    """It is held there, or somebody else's, and would come to the others untried."""
    wanted = rendered([INVENTORY], Path())
    for host in hosts.plan(wanted, VAULT).hosts:
        hosts.hosts[host.device].carry_out(host, VAULT)
    nas, m7 = hosts.hosts["nas"], hosts.hosts["m7"]
    held = Hold("db", probe.EPOCH + 4 * 3600, "backup", "ann", "laptop", probe.EPOCH)
    nas.holds = (f"/opt/paisctl/holds/db.json:{held.to_json()}",)
    nas.epoch = m7.epoch = probe.EPOCH
    m7.manifest = '{"paisctl": 1, "generation": 1, "stacks": {}}'
    for container in m7.containers.values():
        labels = container["Config"]["Labels"]
        container["Config"]["Labels"] = {n: v for n, v in labels.items() if "paisctl" not in n}
    INVENTORY.write_text(INVENTORY.read_text().replace("tag: '16.1'", "tag: '16.2'"))
    session(
        "order-untried",
        "paisctl apply box nas --canary nas",
        "paisctl apply box m7 --canary m7",
        "paisctl apply box --canary m7",
    )
    apply_section("{canary: [nas]}")
    session("order-untried-inventory", "paisctl apply box nas", "paisctl apply box m7")


def test_commands_without_flags_for_it_name_none(hosts: SimulatedFleet, session: Session) -> None:
    wanted = rendered([INVENTORY], Path())
    for host in hosts.plan(wanted, VAULT).hosts:
        hosts.hosts[host.device].carry_out(host, VAULT)
    document = yaml.safe_load(INVENTORY.read_text())
    del document["devices"]["box"]["stacks"]["web"]
    INVENTORY.write_text(yaml.safe_dump(document, sort_keys=False))
    apply_section("{canary: [nas]}")
    hosts.hosts["nas"].problem = "100.64.0.3 cannot be reached"
    session("order-prune", "paisctl prune --yes")


def test_a_canary_that_fails(
    hosts: SimulatedFleet, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = event("ready") + event("locking") + event("locked") + event("waiting", "db")
    broken = event("broken", "db", step="pull example/db:16.1", detail="no such image")
    answers = {
        "100.64.0.1": begin + event("skipped", "db") + event("observation"),
        "100.64.0.2": begin + broken + event("failed", "db") + event("observation"),
    }
    by_address = {"100.64.0.1": hosts.hosts["box"], "100.64.0.2": hosts.hosts["m7"]}

    def connect(settings: SshSettings) -> FakeTransport:
        host = by_address[settings.host]
        said = answers[settings.host].encode()
        return FakeTransport([probe.reply(host), probe.reply(host, said)])

    monkeypatch.setattr("paisctl.targets.SshTransport", connect)
    session("order-canary-fails", "paisctl apply box m7 --stack db --yes --canary m7 --pause 1h")
