"""Connections that are begun before anybody waits for them."""

from __future__ import annotations

from threading import Event

import pytest

from paisctl import pipeline
from paisctl.errors import HostError, HostUnreachable
from paisctl.targets import Target, begin_to_connect, build_targets
from paisctl.transports.fake import FakeTransport
from tests.simulated.fleet import REPOSITORY, rendered

FLEET = REPOSITORY / "tests/cases/plan/fleet"
PATHS = [FLEET / "inventory.yaml"]


class SlowTransport(FakeTransport):
    """It is connected, or refuses, once `go` is set."""

    def __init__(self, refuses: HostError | None = None) -> None:
        super().__init__(refuses=refuses)
        self.go = Event()
        self.attempts = 0

    def connect(self) -> None:
        self.attempts += 1
        assert self.go.wait(10)
        super().connect()


def begun(monkeypatch: pytest.MonkeyPatch, transport: SlowTransport) -> Target:
    """The fleet's one device, being connected to."""
    monkeypatch.setattr("paisctl.targets.SshTransport", lambda _: transport)
    fleet = pipeline.read_fleet(PATHS)
    connecting = begin_to_connect(fleet, ["box"])
    (target,) = build_targets(fleet, rendered(PATHS, FLEET), ["box"], connecting)
    return target


def test_nobody_waits_before_the_connection_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = SlowTransport()
    target = begun(monkeypatch, transport)  # returns although nothing is connected
    transport.go.set()
    target.connect()
    assert (target.transport, transport.attempts) == (transport, 1)


def test_who_needs_it_is_told_why_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = SlowTransport(HostUnreachable("box does not answer"))
    target = begun(monkeypatch, transport)
    transport.go.set()
    with pytest.raises(HostUnreachable, match="box does not answer"):
        target.connect()
    assert transport.attempts == 1  # and nobody has waited twice for the same silence


def test_what_was_not_begun_is_connected_to_when_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    transport = SlowTransport()
    transport.go.set()
    monkeypatch.setattr("paisctl.targets.SshTransport", lambda _: transport)
    (target,) = build_targets(pipeline.read_fleet(PATHS), rendered(PATHS, FLEET), ["box"])
    assert transport.attempts == 0
    target.connect()
    assert transport.attempts == 1
