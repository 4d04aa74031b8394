"""Stacks without a driver: their gates are commands in containers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from paisctl.cluster.driver import Obstacle, Task
from paisctl.errors import HostError, PaisctlError
from paisctl.rendering.bundle import RolloutGate
from paisctl.rollout.commands import CommandDriver
from paisctl.transports import Completed

GATES = {
    name: RolloutGate.model_validate(
        {"description": f"{name} is well", "service": "redis", "command": ["look", name]}
    )
    for name in ("loaded", "links")
}
TASK = Task("7.4.12")


class Cache:
    """A member in which some commands fail."""

    arch = "amd64"

    def __init__(self, device: str, **fails: str | HostError) -> None:
        self.device = device
        self.fails = fails

    def run(self, service: str, command: Sequence[str], stdin: bytes = b"") -> Completed:
        assert (service, command[0], stdin) == ("redis", "look", b"")
        failure = self.fails.get(command[1])
        if isinstance(failure, HostError):
            raise failure
        return Completed(int(failure is not None), b"", (failure or "").encode())


def driver(*members: Any) -> CommandDriver:
    return CommandDriver(members, GATES, "redis-cache")


def test_every_gate_of_every_member_has_to_pass_beforehand() -> None:
    lost = HostError("the connection to c was lost")
    rolled = driver(Cache("a"), Cache("b", loaded="LOADING"), Cache("c", links=lost))
    assert rolled.preflight(TASK) == [
        Obstacle("loaded is well: LOADING", device="b"),
        Obstacle(f"links is well: {lost.message}", device="c"),
    ]
    assert rolled.preflight(TASK, away={"b", "c"}) == []
    assert [each.device for each in rolled.before("b", TASK)] == ["c"]


def test_after_it_was_changed_its_gates_say_what_they_wait_for() -> None:
    gates = driver(Cache("a", links="down")).gates("a", TASK)
    assert {name: (ask().passed, ask().said) for name, ask in gates.items()} == {
        "loaded": (True, ""),
        "links": (False, "down"),
    }


def test_one_that_does_not_come_back_is_not_rebuilt_by_guessing() -> None:
    rolled = driver(Cache("a", links="down"))
    diagnosis = rolled.diagnose("a", TASK)
    assert diagnosis.facts == ("links: down",)
    assert (diagnosis.may_go_back, diagnosis.can_be_rebuilt) == (None, False)
    journal: Any = None
    with pytest.raises(PaisctlError, match="no driver that knows how to rebuild a"):
        rolled.dismiss("a", journal, print)
