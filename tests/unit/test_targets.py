"""Hosts that read themselves before anybody waits for what they say."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from paisctl import pipeline
from paisctl.errors import HostError, HostUnreachable
from paisctl.observe import observe
from paisctl.observed import HostState
from paisctl.secrets import Vault
from paisctl.targets import Begun, begin_to_read, build_targets, ssh_settings
from paisctl.transports.fake import FakeTransport, Reply
from tests.simulated import probe
from tests.simulated.fleet import REPOSITORY, SimulatedFleet, rendered

FLEET = REPOSITORY / "tests/cases/plan/fleet"
PATHS = [FLEET / "inventory.yaml"]


class SlowTransport(FakeTransport):
    """It is connected, or refuses, once `go` is set."""

    def __init__(self, replies: list[Reply], refuses: HostError | None = None) -> None:
        super().__init__(replies, refuses)
        self.go = Event()
        self.attempts = 0

    def connect(self) -> None:
        assert self.go.wait(10)
        self.attempts += 1
        super().connect()


@pytest.fixture
def transport(monkeypatch: pytest.MonkeyPatch) -> SlowTransport:
    """The way to the fleet's one device, on which all is applied."""
    wanted, fleet = rendered(PATHS, FLEET), SimulatedFleet(rendered(PATHS, FLEET))
    vault = Vault({"db_password": "correct horse"}, "key")
    fleet.apply(fleet.plan(wanted, vault), vault)
    transport = SlowTransport([probe.reply(fleet.hosts["box"])])
    monkeypatch.setattr("paisctl.targets.SshTransport", lambda _: transport)
    return transport


def begin(*, texts: bool = False) -> dict[str, Begun]:
    return begin_to_read(pipeline.read_fleet(PATHS), ["box"], texts=texts)


def read(begun: dict[str, Begun]) -> HostState:
    targets = build_targets(pipeline.read_fleet(PATHS), rendered(PATHS, FLEET), ["box"], begun)
    return observe(targets, lambda _: None, begun=begun)["box"]


def test_nobody_waits_before_what_a_host_says_is_needed(transport: SlowTransport) -> None:
    begun = begin(texts=True)  # returns although nothing is connected
    transport.go.set()
    assert {each.project for each in read(begun).containers} == {"web", "db"}
    assert transport.commands == ["sh -s"]  # one execution, begun ahead
    assert b"TEXTS=yes" in transport.stdins[0]


def test_who_needs_it_is_told_why_there_is_nothing(transport: SlowTransport) -> None:
    transport._refuses = HostUnreachable("box does not answer")
    begun = begin()
    transport.go.set()
    assert read(begun).problem == "box does not answer"
    assert transport.attempts == 1  # nobody has waited twice for the same silence


def test_what_was_not_begun_is_read_when_it_is_needed(transport: SlowTransport) -> None:
    transport.go.set()
    assert {each.project for each in read({}).containers} == {"web", "db"}
    assert transport.commands == ["sh -s"]


@pytest.mark.parametrize(
    ("edit", "seconds"),
    [
        ("", 10),
        ("required: false", 5),
        ("required: false, ssh: {connect_timeout: 20s}", 20),
        ("ssh: {connect_timeout: 2s}", 2),
    ],
)
def test_how_long_a_device_is_waited_for(edit: str, seconds: float, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"devices: {{box: {{{edit}}}}}\n")
    device = pipeline.read_fleet([*PATHS, overlay]).devices["box"]
    assert ssh_settings(device).connect_timeout == seconds
