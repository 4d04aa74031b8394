"""A stack that is refused: the others go on, and nobody takes the whole for done."""

from __future__ import annotations

import json

from paisctl.plan import Action, Address, Cause, Change, Disruption, HostPlan, Plan, Refusal
from paisctl.plan import StackPlan as Stack
from paisctl.report import Report
from paisctl.views import human
from paisctl.views import json as as_json

WEB = Refusal(Address("box", "compose", "web"), "somebody else's project is there", "rename it")
CHANGE = Change(
    Address("box", "compose", "db"), Action.MEND, "service db", Cause.DRIFT, Disruption.NONE
)
ALONE = Plan((HostPlan("box", refused=(WEB,)), HostPlan("nas")))
AMONG_OTHERS = Plan((HostPlan("box", (Stack("db", (CHANGE,)),), refused=(WEB,)),))


def test_it_is_shown_with_what_to_do() -> None:
    assert human.plan(ALONE).splitlines() == [
        "? box/compose:web  somebody else's project is there",
        "    hint: rename it",
        "",
        "Nothing to do: 1 host as wanted; 1 stack refused.",
    ]
    assert human.plan(AMONG_OTHERS).splitlines()[-1] == (
        "Plan: 1 to mend on 1 of 1 host. 1 stack refused."
    )


def test_json_has_it() -> None:
    document = json.loads(as_json.plan(ALONE))
    assert document["summary"]["stacks_refused"] == 1
    assert document["hosts"][0]["refused"] == [
        {"stack": "web", "problem": "somebody else's project is there", "hint": "rename it"}
    ]


def test_an_apply_without_it_has_not_succeeded() -> None:
    assert Report(Plan(), {}, Plan()).succeeded
    assert not Report(ALONE, {}, Plan()).succeeded
    assert not Report(AMONG_OTHERS, {}, Plan()).succeeded
