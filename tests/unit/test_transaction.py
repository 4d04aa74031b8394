"""When a host fails, the others go back: which of them, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paisctl.desired import HostSpec
from paisctl.events import HostResult, Outcome, StackEnded
from paisctl.observed import HostState
from paisctl.secrets import Vault
from paisctl.transaction import has_failed, merged, way_back

MANIFEST = '{"paisctl": 1, "fleet": "f", "device": "k6", "generation": 7, "stacks": {}}\n'


def result(device: str, **outcomes: Outcome) -> HostResult:
    ends = {name: StackEnded(device, name, outcome) for name, outcome in outcomes.items()}
    return HostResult(device, ends, HostState(device, "/r", manifest=MANIFEST))


@pytest.mark.parametrize(
    ("outcome", "failed"),
    [
        (Outcome.APPLIED, False),
        (Outcome.SKIPPED, False),
        (Outcome.FAILED, True),
        (Outcome.ROLLED_BACK, True),
        (Outcome.STRANDED, True),
    ],
)
def test_what_is_a_failure(outcome: Outcome, *, failed: bool) -> None:
    assert has_failed({"k6": result("k6", a=Outcome.APPLIED, b=outcome)}) is failed


def test_a_host_that_refuses_its_part_is_a_failure() -> None:
    ends = {"a": StackEnded("m7", "a", Outcome.SKIPPED)}
    refused = HostResult("m7", ends, None, "m7 refuses: no space")
    assert has_failed({"k6": result("k6", a=Outcome.APPLIED), "m7": refused})


def test_a_run_that_ended_early_is_a_failure() -> None:
    """As after a canary of which each stack was applied, but that is not as planned."""
    left = replace(result("m7", a=Outcome.SKIPPED), stopped="the canary k6 failed")
    assert has_failed({"k6": result("k6", a=Outcome.APPLIED), "m7": left})


def test_a_first_generation_and_a_lost_host_stay_as_they_are() -> None:
    lost = HostResult("m7", {"a": StackEnded("m7", "a", Outcome.APPLIED)}, None, "lost")
    results = {"k6": result("k6", a=Outcome.APPLIED), "m7": lost}
    before = {name: HostSpec(name, "/r", {}) for name in results}
    assert way_back(results, before, Vault({}, "")).hosts == ()


def test_what_could_not_go_back_says_so() -> None:
    results = {"k6": result("k6", a=Outcome.APPLIED, b=Outcome.FAILED)}
    stacks = merged(results, {}, {"k6": HostState("k6", "/r")})["k6"].stacks
    assert stacks["a"].message == "left as it is: its host has no generation before"
    assert stacks["b"] == results["k6"].stacks["b"]


def test_what_has_gone_back_is_not_called_applied() -> None:
    results = {
        "k6": result("k6", a=Outcome.APPLIED, b=Outcome.APPLIED, c=Outcome.SKIPPED),
        "m7": result("m7", d=Outcome.FAILED),
    }
    undone = {"k6": result("k6", a=Outcome.APPLIED, b=Outcome.FAILED)}
    before = {name: HostState(name, "/r", manifest=MANIFEST) for name in results}
    both = merged(results, undone, before)
    assert {name: str(end.outcome) for name, end in both["k6"].stacks.items()} == {
        "a": "rolled-back",
        "b": "stranded",
        "c": "skipped",
    }
    assert both["k6"].generation == 7
    assert both["m7"] == results["m7"]
