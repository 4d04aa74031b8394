"""What people are shown of batches: before, while hosts are changed, and at the end."""

from __future__ import annotations

import pytest
from rich.console import Console

from paisctl.events import BatchBegins, HostResult, Outcome, StackEnded, StepStarted
from paisctl.execution.batches import Pace, divide
from paisctl.plan import Action, Address, Cause, Change, Disruption, HostPlan, Plan, StackPlan
from paisctl.report import Report
from paisctl.views import order, progress
from paisctl.views import report as report_view
from paisctl.views.console import duration
from tests.unit.test_batches import CHAIN, FOUR, needs

ORDERS = [
    (FOUR, Pace(), ""),
    (FOUR, Pace(max_parallel=4), ""),
    ("a/x:", Pace(("a",), 1, 0), ""),
    (FOUR, Pace(("a", "b", "c", "d")), ""),
    (FOUR, Pace(max_failures=1), "4 hosts together; stops after more than 1 failed host."),
    (FOUR, Pace(max_parallel=1), "4 hosts one at a time."),
    (FOUR, Pace(("a", "b", "c")), "a, b and c first (canaries), then d."),
    (CHAIN, Pace(("b",)), "b first (canary, with what it needs on c), then 3 hosts together."),
    (
        CHAIN,
        Pace(("a", "b"), 1, None, 600),
        """a and b first (canaries, with what they need on c), then 2 hosts one at a
time, 10 min apart.""",
    ),
]


@pytest.mark.parametrize(("text", "pace", "expected"), ORDERS)
def test_the_order_in_words(text: str, pace: Pace, expected: str) -> None:
    said = order.as_text(divide(needs(text), pace), pace)
    assert said == (f"Order: {expected}\n" if expected else "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.5 s"), (90, "90 s"), (120, "2 min"), (150, "2 min 30 s"), (3600, "60 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def plan(*names: str) -> Plan:
    return Plan(
        tuple(HostPlan(name, tuple(_stack(name, s) for s in ("db", "web"))) for name in names)
    )


def _stack(device: str, name: str) -> StackPlan:
    address = Address(device, "compose", name)
    change = Change(address, Action.UPDATE, "service x", Cause.PENDING, Disruption.RESTART)
    return StackPlan(name, (change,), entry="{}")


def result(device: str, outcome: Outcome, message: str = "", stopped: str = "") -> HostResult:
    ends = {name: StackEnded(device, name, outcome, "", message) for name in ("db", "web")}
    return HostResult(device, ends, None, stopped=stopped)


def test_hosts_that_were_left_as_they_were_are_one_line() -> None:
    why = "the canary k6 failed"
    results = [
        result("k6", Outcome.ROLLED_BACK),
        result("m7", Outcome.SKIPPED, why, why),
        result("nas", Outcome.SKIPPED, "it needs db on k6, which failed", why),
        result("pi", Outcome.SKIPPED, why, why),
    ]
    report = Report(plan("k6", "m7", "nas", "pi"), {each.device: each for each in results}, Plan())
    assert report_view.as_text(report).splitlines()[2:] == [
        "- nas/compose:db  skipped",
        "    it needs db on k6, which failed",
        "- nas/compose:web  skipped",
        "    it needs db on k6, which failed",
        "- m7, pi  4 stacks skipped",
        "    the canary k6 failed",
        "Not done: of 8 stacks, 6 skipped, 2 rolled back.",
    ]


def test_a_batch_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.watch_apply(plan("k6", "m7")) as listener:
        listener(BatchBegins(1, 2, ("k6",)))
        listener(BatchBegins(2, 2, ("m7", "nas"), 150))
    assert capsys.readouterr().err.splitlines() == [
        "batch 1 of 2: k6",
        "batch 2 of 2 in 2 min 30 s: m7, nas",
    ]


def test_a_small_window_leaves_out_what_is_done_then_what_is_queued() -> None:
    console = Console(width=70, height=5)
    view = progress._Stacks(plan("a", "b", "c"), console)

    def shown() -> list[str]:
        with console.capture() as captured:
            console.print(view.show())
        return [line.rstrip() for line in captured.get().splitlines()]

    assert shown() == [
        "· a/db  queued",
        "· a/web queued",
        "· b/db  queued",
        "· b/web queued",
        "… and 2 queued",
    ]
    view.listen(StackEnded("a", "db", Outcome.APPLIED))
    view.listen(StackEnded("a", "web", Outcome.FAILED))
    assert shown() == [
        "✗ a/web failed 0 s",
        "· b/db  queued",
        "· b/web queued",
        "· c/db  queued",
        "… and 1 applied, 1 queued",
    ]
    for device in "bc":
        view.listen(StepStarted(device, "db", "pull"))
        view.listen(StepStarted(device, "web", "pull"))
    assert len(shown()) == 6  # what goes on is never left out; the terminal cuts it off
    console.height = 6
    assert not any(line.startswith("…") for line in shown())
