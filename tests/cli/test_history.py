"""What hosts remember, and going back, on a simulated host of three generations."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from paisctl.cli.app import run
from paisctl.errors import HostUnreachable
from paisctl.hold import Hold
from paisctl.secrets import Vault
from paisctl.transports.fake import FakeTransport
from tests.cli.conftest import Session
from tests.simulated import probe
from tests.simulated.fleet import SimulatedFleet, rendered
from tests.simulated.history import RememberingHost

VAULT = Vault({"db_password": "correct horse"}, "key")
INVENTORY = Path("inventory/pais.yaml")
LOCK = {
    "run": "20261122T135900Z-a1b2c3",
    "who": "bob",
    "machine": "desktop",
    "command": "rollback to 6",
    "process": 4711,
    "started": probe.EPOCH - 75,
    "heartbeat": probe.EPOCH - 3,
}


@pytest.fixture
def box(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> RememberingHost:
    """The fleet's one host; whoever connects by SSH reads it. Nothing was applied to it."""
    hosts = rendered([INVENTORY], fleet)
    box = RememberingHost("box", hosts["box"].root, hosts["box"].fleet)
    monkeypatch.setattr("paisctl.targets.SshTransport", lambda _: probe.transport(box))
    return box


@pytest.fixture
def third(box: RememberingHost) -> RememberingHost:
    """At generation 3: db alone, then with web, then web as it is changed."""
    text = INVENTORY.read_text()
    apply(box, text.replace("      web: {memory: 1g}\n", ""))
    apply(box, text)
    apply(box, text.replace("memory: 1g", "memory: 2g, motto: Salve"))
    return box


def apply(box: RememberingHost, inventory: str) -> None:
    INVENTORY.write_text(inventory)
    fleet = SimulatedFleet({})
    fleet.hosts = {"box": box}
    fleet.apply(fleet.plan(rendered([INVENTORY], Path()), VAULT), VAULT)


def broken_off(box: RememberingHost) -> None:
    """A run that began and did not end."""
    origin = {"run": LOCK["run"], "who": "bob", "machine": "desktop", "command": "rollback to 6"}
    box.note("began", "2026-11-22T13:58:45Z", origin, generation=3)  # type: ignore[arg-type]


@pytest.mark.usefixtures("third")
def test_history(session: Session) -> None:
    session("history", "paisctl history", "paisctl history box --all")


@pytest.mark.usefixtures("third")
def test_history_as_json(session: Session) -> None:
    session("history-json", "paisctl history --json", "paisctl history --all --json")


@pytest.mark.usefixtures("box")
def test_no_history(session: Session) -> None:
    session(
        "history-none",
        "paisctl history",
        "paisctl history --all",
        "paisctl rollback box",
        "paisctl unlock box",
    )


def test_a_damaged_history(third: RememberingHost, session: Session) -> None:
    first, second, current = third.generations
    third.generations = [
        replace(first, record='{"generation": 1, "star'),
        replace(second, manifest=""),
        current,
        replace(current, number=4),
    ]
    third.log.insert(1, "\x07torn by a power")
    session(
        "history-damaged",
        "paisctl history",
        "paisctl history --all",
        "paisctl rollback box",
        "paisctl diff box --generation 4",
        "paisctl diff box --generation 1",
    )


def test_a_history_that_was_lost(third: RememberingHost, session: Session) -> None:
    """What a stack still is need not be kept to go back to it, unless somebody has edited it."""
    third.kept.clear()
    session("history-lost", "paisctl rollback box", "paisctl rollback box --to 1")
    third.files["stacks/db/compose.yaml"] = ("0644", b"services: {}")
    session("history-lost-edited", "paisctl rollback box --to 1")


@pytest.mark.usefixtures("third")
def test_going_back(session: Session) -> None:
    session(
        "rollback",
        "paisctl rollback",
        "paisctl rollback box --diff",
        "paisctl diff box --generation 2 --stack web",
        "paisctl diff box",
    )


@pytest.mark.usefixtures("third")
def test_going_back_further_than_a_stack(session: Session) -> None:
    session(
        "rollback-to",
        "paisctl rollback box --to 1",
        "paisctl rollback box --to 1 --stack db",
        "paisctl rollback box --to 3",
    )


@pytest.mark.usefixtures("third")
def test_where_there_is_no_way_back(session: Session) -> None:
    session(
        "rollback-refused",
        "paisctl rollback box --to 7",
        "paisctl rollback --to 2",
        "paisctl rollback box --stack wbe",
        "paisctl rollback box --to 0",
    )


def test_going_back_is_refused_where_it_is_held_or_asleep(
    third: RememberingHost, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = Hold("web", probe.EPOCH + 3600, "reindexing", "ann", "laptop", probe.EPOCH)
    third.holds = (f"/opt/paisctl/holds/web.json:{hold.to_json()}",)
    session("rollback-held", "paisctl rollback box --yes")
    text = INVENTORY.read_text()
    INVENTORY.write_text(text.replace("  box:\n", "  box:\n    required: false\n", 1))
    away = HostUnreachable("box did not answer within 5 s", "ping it")
    monkeypatch.setattr("paisctl.targets.SshTransport", lambda _: FakeTransport(refuses=away))
    session("rollback-asleep", "paisctl rollback box --yes")


def test_going_back_mends_drift_and_pulls_what_is_gone(
    third: RememberingHost, session: Session
) -> None:
    apply(third, INVENTORY.read_text().replace('tag: "2.0"', 'tag: "2.1"'))
    third.containers["db-db-1"]["HostConfig"]["Memory"] = 2**30
    third.files["stacks/web/motto.txt"] = ("0644", b"Bye\n")
    del third.images["example/app:2.0"]
    session("rollback-drift", "paisctl rollback box --diff")


def test_going_back_does_without_an_inventory_that_renders(
    third: RememberingHost, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(third.generations) == 3
    Path("stacks/web/compose.yaml.j2").write_text("{{ nonsense")
    assert run(["plan"]) == 1
    capsys.readouterr()
    assert run(["diff", "box", "--generation", "2"]) == 0
    assert "as in generation 2" in capsys.readouterr().out


def test_the_plan_of_going_back_is_that_of_the_inventory_then(
    third: RememberingHost, capsys: pytest.CaptureFixture[str]
) -> None:
    """Done in memory: afterwards generation 4 is what generation 2 was."""
    text = INVENTORY.read_text().replace("memory: 2g, motto: Salve", "memory: 1g")
    assert run(["diff", "box", "--generation", "2", "--json"]) == 0
    there = json.loads(capsys.readouterr().out)
    INVENTORY.write_text(text)
    assert run(["diff", "box", "--json"]) == 0
    here = json.loads(capsys.readouterr().out)
    assert differences(there) == differences(here)
    apply(third, text)
    assert run(["diff", "box", "--generation", "2"]) == 0
    assert "Nothing to do" in capsys.readouterr().out


def differences(document: dict[str, object]) -> list[object]:
    keys = ("address", "action", "subject", "field", "live", "wanted", "cause", "disruption")
    return [
        [change[key] for key in keys]
        for host in document["hosts"]  # type: ignore[attr-defined]
        for stack in host["stacks"]
        for change in stack["changes"]
    ]


def test_a_lock(third: RememberingHost, session: Session) -> None:
    third.lock, third.lock_alive = json.dumps(LOCK), True
    broken_off(third)
    session(
        "locked",
        "paisctl plan",
        "paisctl status",
        "paisctl status --json",
        "paisctl history --all",
        "paisctl unlock box",
    )


@pytest.mark.parametrize(
    ("name", "lock", "alive"),
    [
        ("unlock-gone", LOCK, False),
        ("unlock-silent", LOCK, None),
        ("unlock-damaged", {"process": 4711}, True),
    ],
)
def test_whose_lock_it_is(
    name: str, lock: object, alive: bool | None, third: RememberingHost, session: Session
) -> None:
    third.lock, third.lock_alive = json.dumps(lock), alive
    session(name, "paisctl unlock box", "paisctl plan")


@pytest.mark.parametrize(
    ("outcome", "stacks"),
    [
        ("failed", {"web": "failed", "db": "applied"}),
        ("rolled-back", {"web": "rolled-back", "db": "skipped"}),
        ("stopped", {"web": "applied", "db": "skipped"}),
        ("stranded", {"web": "stranded"}),
        ("broke off", {}),
    ],
)
def test_how_the_last_run_ended(
    outcome: str, stacks: dict[str, str], third: RememberingHost, session: Session
) -> None:
    broken_off(third)
    if stacks:
        entry = json.loads(third.log[-1])
        ended = {"event": "ended", "generation": 3, "outcome": outcome, "stacks": stacks}
        third.log.append(json.dumps(entry | ended))
    session(f"status-{outcome.replace(' ', '-')}", "paisctl status", "paisctl history --all")


@pytest.mark.usefixtures("fleet")
def test_hosts_that_cannot_be_read(session: Session) -> None:
    Path("overlay.yaml").write_text("defaults: {ssh: {host: 127.0.0.1, port: 1, user: pais}}\n")
    options = "-i inventory/pais.yaml -i overlay.yaml"
    session(
        "history-unreachable",
        f"paisctl {options} history",
        f"paisctl {options} history --all --json",
        f"paisctl {options} rollback box",
        f"paisctl {options} unlock box",
        f"paisctl {options} unlock 'b*'",
    )
