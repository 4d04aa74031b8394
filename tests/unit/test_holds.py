"""What is held: for how long, and what becomes of a plan."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from paisctl.events import HostResult
from paisctl.execution.conduct import Conduct
from paisctl.hold import Hold, hold_of
from paisctl.inventory.moments import parse_moment
from paisctl.observed import HostState
from paisctl.plan import (
    Action,
    Address,
    Cause,
    Change,
    Disruption,
    HostPlan,
    Plan,
    Refusal,
    StackPlan,
)
from paisctl.reconcile.holding import hold_back, refuse_held
from paisctl.secrets import Vault
from paisctl.session import Session

NOW = 1_795_356_000  # 2026-11-22 14:00:00 UTC
OF_STACK = Hold("db", NOW + 3600, "reindexing", "ann", "laptop", NOW)
OF_DEVICE = Hold("", NOW + 7200, "disks", "bob", "mac", NOW)


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def state(*holds: Hold, epoch: int = NOW) -> HostState:
    lines = tuple(f"/r/holds/{hold.name}.json:{hold.to_json()}" for hold in holds)
    return HostState("box", root="/r", epoch=epoch, holds=lines)


def stack(name: str, changes: int = 1) -> StackPlan:
    address = Address("box", "compose", name)
    change = Change(address, Action.UPDATE, "service x", Cause.PENDING, Disruption.RESTART)
    return StackPlan(name, (change,) * changes)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("90m", NOW + 5400),
        ("2h", NOW + 7200),
        ("3d", NOW + 3 * 86_400),
        ("2026-12-01", 1_796_079_600),  # midnight in Berlin
        ("2026-12-01T18:00", 1_796_144_400),
        ("2026-12-01T18:00Z", 1_796_148_000),
        (" 2026-11-22T15:01 ", NOW + 60),
    ],
)
def test_when_a_hold_ends(text: str, end: int) -> None:
    assert parse_moment(text, now=NOW, there=NOW) == end


def test_a_span_is_counted_by_the_clock_that_will_be_asked() -> None:
    assert parse_moment("2h", now=NOW, there=NOW - 900) == NOW - 900 + 7200
    assert parse_moment("2026-12-01T18:00Z", now=NOW, there=NOW - 900) == 1_796_148_000


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0h", "is over: it is 2026-11-22T15:00"),
        ("2026-11-22", "is over"),
        ("2028-01-01", "more than a year away"),
        ("400d", "more than a year away"),
        ("2026-13-01", "is no time; write for example 2h, 3d, 2026-12-01 or"),
        ("tomorrow", "is no time"),
        ("2", "is no time"),
        ("-2h", "is no time"),
        ("", "is no time"),
    ],
)
def test_what_is_no_end_of_a_hold(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_moment(text, now=NOW, there=NOW)


def test_the_hold_of_a_stack_counts_before_that_of_its_device() -> None:
    both = state(OF_DEVICE, OF_STACK)
    assert hold_of(both, "db") == OF_STACK
    assert hold_of(both, "web") == OF_DEVICE
    assert hold_of(state(OF_STACK), "web") is None


def test_a_hold_ends_by_the_clock_of_its_host() -> None:
    assert hold_of(state(OF_STACK, epoch=NOW + 3599), "db")
    assert not hold_of(state(OF_STACK, epoch=NOW + 3600), "db")


def test_what_it_says_has_no_line_ends_or_escapes_of_others() -> None:
    line = json.dumps(
        {"until": NOW + 60, "reason": "a\n\tb", "who": "x", "machine": "y", "since": 0}
    )
    hold = hold_of(HostState("box", epoch=NOW, holds=(f"/r/holds/db.json:{line}",)), "db")
    assert str(hold) == "held until 2026-11-22 14:01 UTC by x@y: a b"


def test_a_plan_leaves_out_what_is_held_and_counts_it() -> None:
    refused = Refusal(Address("box", "compose", "db"), "somebody else made it")
    plan = Plan((HostPlan("box", (stack("db", 2), stack("web")), refused=(refused,)),))
    (host,) = hold_back(plan, {"box": state(OF_STACK)}).hosts
    assert [each.name for each in host.stacks] == ["web"]
    assert host.refused == ()
    assert [str(held) for held in host.held] == [
        "held until 2026-11-22 15:00 UTC by ann@laptop: reindexing; 2 changes left alone"
    ]


def test_what_was_counted_when_a_plan_was_saved_is_still_counted_when_it_is_applied() -> None:
    plan = Plan((HostPlan("box", (stack("db", 2), stack("web"))),))
    saved = hold_back(plan, {"box": state(OF_STACK)})
    assert hold_back(saved, {"box": state(OF_STACK)}) == saved
    (host,) = hold_back(saved, {"box": state(OF_STACK, OF_DEVICE)}).hosts
    assert [(held.hold.stack, len(held.changes)) for held in host.held] == [("", 1), ("db", 2)]


def test_a_hold_that_nothing_is_left_alone_for_is_said_too() -> None:
    (host,) = hold_back(Plan((HostPlan("box", (stack("web"),)),)), {"box": state(OF_STACK)}).hosts
    assert [held.changes for held in host.held] == [()]
    assert str(host.held[0]).endswith("; no changes left alone")


def test_who_asks_for_a_stack_by_name_is_refused_with_the_way_out() -> None:
    plan = Plan((HostPlan("box", (stack("db"), stack("web"))),))
    (of_stack,) = refuse_held(plan, {"box": state(OF_STACK)}).refused
    assert (of_stack.problem, of_stack.hint) == (f"it is {OF_STACK}", "paisctl release box/db")
    of_device = refuse_held(plan, {"box": state(OF_DEVICE)}).refused
    assert {refusal.hint for refusal in of_device} == {"paisctl release box"}
    assert refuse_held(plan, {"box": state()}) == plan


def test_who_changes_a_stack_now_is_told_that_it_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan((HostPlan("box", (stack("db"),)),))
    monkeypatch.setattr("paisctl.session.reconcile", lambda *_: plan)
    session = Session({}, Vault({}, ""), {}, {"box": state(OF_STACK)})
    assert [each.hint for each in session.demand(["db"]).refused] == ["paisctl release box/db"]


def test_the_way_back_of_a_transaction_is_not_hindered(monkeypatch: pytest.MonkeyPatch) -> None:
    heeding = []

    def execute(*rest: object) -> dict[str, HostResult]:
        conduct = rest[-1]
        assert isinstance(conduct, Conduct)
        heeding.append(conduct.heeds_holds)
        return {}

    monkeypatch.setattr("paisctl.session.execute", execute)
    monkeypatch.setattr("paisctl.session.has_failed", lambda _: True)
    Session({}, Vault({}, ""), {}, {}).apply(Plan(), lambda _: None, Conduct(), transaction=True)
    assert heeding == [True, False]
