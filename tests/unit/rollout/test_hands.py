"""What is done to one member: nothing twice, and what is down is brought to life."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from paisctl.execution.conduct import Conduct
from paisctl.operation import ServiceOperation, Verb, WaitHealthy
from paisctl.plan import Action, Address, Cause, Change, Disruption, HostPlan, Plan, StackPlan
from paisctl.rollout import hands as hands_module
from paisctl.rollout.hands import Hands

START = ServiceOperation(Verb.START, ("qdrant",))


@dataclass
class Host:
    """Stands for a session; `applied` are the operations that it was given."""

    plans: Plan
    applied: list[Any] = field(default_factory=list)
    states: dict[str, Any] = field(default_factory=lambda: {"a": None})

    def demand(self, stacks: list[str]) -> Plan:
        assert stacks == ["qdrant"]
        return self.plans

    def apply(self, plan: Plan, *_: object) -> None:
        self.applied += [
            o for host in plan.hosts for stack in host.stacks for o in stack.operations
        ]

    def report(self, *_: object) -> Any:
        return SimpleNamespace(succeeded=True)


def differs(field: str, before: str, operation: ServiceOperation = START) -> Plan:
    change = Change(
        Address("a", "compose", "qdrant"),
        Action.MEND,
        "service qdrant",
        Cause.DRIFT,
        Disruption.RESTART,
        field,
        before,
    )
    wait = WaitHealthy(("qdrant",), 60)
    return Plan((HostPlan("a", (StackPlan("qdrant", (change,), (operation, wait)),)),))


NOTHING = Plan((HostPlan("a"),))


def changed(
    monkeypatch: pytest.MonkeyPatch, plan: Plan, *, restart: bool = False, was_changed: bool = False
) -> list[Any]:
    """The operations on a host that differs like this."""
    host = Host(plan)

    @contextmanager
    def session(*_: object) -> Iterator[Host]:
        yield host

    monkeypatch.setattr(hands_module, "open_session", session)
    monkeypatch.setattr(hands_module, "build_targets", lambda *_: [])
    restarting = differs("", "", ServiceOperation(Verb.RESTART, ("qdrant",)))
    monkeypatch.setattr(hands_module, "_restarting", lambda *_: restarting)
    spec: Any = {"a": SimpleNamespace(stacks={"qdrant": None})}
    parts: Any = (None, spec, None, "qdrant", Conduct("rollout knowledge", "", rollback=False), 900)
    failure = Hands(*parts).change("a", lambda _: None, restart=restart, was_changed=was_changed)
    assert failure is None
    return host.applied


def test_what_is_on_its_way_is_not_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    on_its_way = differs("state", "unhealthy")
    assert changed(monkeypatch, on_its_way, was_changed=True) == []
    assert changed(monkeypatch, NOTHING, was_changed=True) == []
    assert changed(monkeypatch, NOTHING, restart=True, was_changed=True) == []
    assert START in changed(monkeypatch, on_its_way)
    assert START in changed(monkeypatch, differs("state", "exited (1)"), was_changed=True)
    assert START in changed(monkeypatch, differs("image", "unhealthy"), was_changed=True)


def test_a_restart_brings_to_life_what_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    down = changed(monkeypatch, differs("state", "exited (1)"), restart=True)
    assert START in down
    up = changed(monkeypatch, NOTHING, restart=True)
    assert up[0].verb is Verb.RESTART


def test_a_member_may_take_as_long_as_its_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    [wait] = [
        each
        for each in changed(monkeypatch, differs("image", "v1.18.3"))
        if isinstance(each, WaitHealthy)
    ]
    assert wait.timeout == 900
