"""Commands that read hosts: simulated ones behind a fake transport, and one that refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from paisctl import pipeline
from paisctl.cli.app import run
from paisctl.secrets import Vault
from paisctl.transports.fake import FakeTransport
from tests.cli.conftest import Session
from tests.simulated import probe
from tests.simulated.fleet import SimulatedFleet, rendered

VAULT = Vault({"db_password": "correct horse"}, "key")
Edit = Callable[[SimulatedFleet], None]


@pytest.fixture
def box(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedFleet:
    """The fleet's one host; whoever connects by SSH reads it."""
    hosts = SimulatedFleet(rendered([Path("inventory/pais.yaml")], fleet))
    monkeypatch.setattr(
        "paisctl.targets.SshTransport", lambda _: probe.transport(hosts.hosts["box"])
    )
    return hosts


def applied(box: SimulatedFleet) -> Any:
    wanted = rendered([Path("inventory/pais.yaml")], Path())
    box.apply(box.plan(wanted, VAULT), VAULT)
    return box.hosts["box"]


@pytest.mark.usefixtures("box")
def test_first_plan(session: Session) -> None:
    session(
        "plan-first",
        "paisctl plan",
        "paisctl plan --detailed-exitcode --stack db",
        "paisctl status",
    )


def test_nothing_to_do(box: SimulatedFleet, session: Session) -> None:
    applied(box)
    session(
        "plan-nothing",
        "paisctl plan",
        "paisctl plan --detailed-exitcode",
        "paisctl apply --yes",
        "paisctl status",
    )


def test_drift(box: SimulatedFleet, session: Session) -> None:
    host = applied(box)
    host.containers["web-app-1"]["HostConfig"]["Memory"] = 512 * 2**20
    host.containers["web-worker-1"]["State"]["Status"] = "paused"
    del host.containers["web-proxy-1"]
    host.files["stacks/web/motto.txt"] = ("0644", b"Bye\xff\n")
    session(
        "plan-drift",
        "paisctl plan --diff",
        "paisctl plan --detailed-exitcode --stack db",
        "paisctl plan --detailed-exitcode",
        "paisctl status",
        "paisctl status --json",
    )


def test_pending(box: SimulatedFleet, session: Session) -> None:
    host = applied(box)
    host.containers["db-db-1"]["State"] = {"Status": "exited", "ExitCode": 1}
    host.containers["web-app-1"]["HostConfig"]["Memory"] = 512 * 2**20
    path = Path("inventory/pais.yaml")
    path.write_text(path.read_text().replace('tag: "2.0"', 'tag: "2.1"'))
    session("plan-pending", "paisctl plan", "paisctl plan --detailed-exitcode", "paisctl status")
    session("plan-json", "paisctl plan --json")


def test_markdown(box: SimulatedFleet, session: Session) -> None:
    host = applied(box)
    host.containers["web-app-1"]["HostConfig"]["Memory"] = 512 * 2**20
    host.files["stacks/web/motto.txt"] = ("0644", b"Bye\n")
    session("plan-markdown", "paisctl plan --format markdown --diff")


@pytest.mark.usefixtures("box")
def test_apply_does_not_go_ahead_without_being_asked(session: Session) -> None:
    session("apply-no-terminal", "paisctl apply --stack db")


def test_a_removed_stack(box: SimulatedFleet, session: Session) -> None:
    applied(box)
    path = Path("inventory/pais.yaml")
    path.write_text(path.read_text().replace("      web: {memory: 1g}\n", ""))
    session("plan-orphan", "paisctl plan", "paisctl status", "paisctl plan --stack db")


@pytest.mark.usefixtures("fleet")
def test_a_host_that_refuses(session: Session) -> None:
    Path("overlay.yaml").write_text("defaults: {ssh: {host: 127.0.0.1, port: 1, user: pais}}\n")
    options = "-i inventory/pais.yaml -i overlay.yaml"
    session(
        "unreachable",
        f"paisctl {options} plan",
        f"paisctl {options} plan --detailed-exitcode",
        f"paisctl {options} apply --yes",
        f"paisctl {options} status",
        f"paisctl {options} status --json",
    )


def test_hosts_are_connected_to_while_the_files_are_rendered(
    fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = SimulatedFleet(rendered([Path("inventory/pais.yaml")], fleet)).hosts["box"]
    is_connected, render = Event(), pipeline.desire_from

    def connect(_: object) -> FakeTransport:
        is_connected.set()
        return probe.transport(box)

    def render_later(*arguments: Any) -> pipeline.Desired:
        assert is_connected.is_set()
        return render(*arguments)

    monkeypatch.setattr("paisctl.targets.SshTransport", connect)
    monkeypatch.setattr("paisctl.pipeline.desire_from", render_later)
    assert run(["plan"]) == 0
    assert is_connected.is_set()


@pytest.mark.parametrize("command", ["plan", "apply --yes", "diff", "status", "prune --yes"])
def test_no_host_is_connected_to_for_an_inventory_that_is_not_in_order(
    fleet: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    inventory = fleet / "inventory/pais.yaml"
    inventory.write_text(f"{inventory.read_text()}\nno_such_section: 1\n")
    attempts: list[object] = []
    monkeypatch.setattr("paisctl.targets.SshTransport", attempts.append)
    assert run(command.split()) == 1
    assert not attempts


def test_json_has_what_the_text_has(
    box: SimulatedFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    applied(box).containers["web-app-1"]["HostConfig"]["Memory"] = 512 * 2**20
    assert run(["plan", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    changes = [c for h in document["hosts"] for s in h["stacks"] for c in s["changes"]]
    assert [(c["address"], c["field"], c["cause"]) for c in changes] == [
        ("box/compose:web", "memory limit", "drift")
    ]
