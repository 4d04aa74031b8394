"""What people and programs are shown of plans, reports and states."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from paisctl.diagnostics import Mark
from paisctl.events import HostResult, Outcome, StackEnded
from paisctl.history import Origin, Run
from paisctl.observed import HostState
from paisctl.plan import (
    Action,
    Address,
    Cause,
    Change,
    Disruption,
    HostPlan,
    Plan,
    PolicyPlan,
    StackPlan,
    count,
)
from paisctl.report import Report
from paisctl.secrets import token
from paisctl.status import Row, Standing
from paisctl.views import device as device_view
from paisctl.views import human
from paisctl.views import json as json_view
from paisctl.views import report as report_view
from paisctl.views import status as status_view


def change(**values: Any) -> Change:
    known: dict[str, Any] = {
        "address": Address("k6", "compose", "qdrant"),
        "action": Action.UPDATE,
        "subject": "service qdrant",
        "cause": Cause.PENDING,
        "disruption": Disruption.RECREATE,
    }
    return Change(**(known | values))


def plan(*changes: Change, problem: str = "", entry: str = "{}") -> Plan:
    host = HostPlan("k6", (StackPlan("qdrant", changes, entry=entry),) if changes else ())
    other = HostPlan("m7-1", problem=problem, hint="look") if problem else HostPlan("m7-1")
    return Plan((host, other))


IMAGE = change(
    field="image",
    before="v1.18.3",
    after="v1.19.0",
    mark=Mark("inventory/pais.yaml", 61),
    downloads="qdrant/qdrant:v1.19.0",
)
MEMORY = change(
    action=Action.MEND,
    cause=Cause.DRIFT,
    field="memory limit",
    before="16 GiB",
    after="22 GiB",
    reason="changed by hand on the host",
)


def test_a_pending_change_reads_from_old_to_new() -> None:
    assert human.plan(plan(IMAGE)).splitlines()[:2] == [
        "~ k6/compose:qdrant  service qdrant image  v1.18.3 → v1.19.0",
        "    recreate, downloads qdrant/qdrant:v1.19.0, inventory/pais.yaml:61",
    ]


def test_a_drift_reads_from_wanted_to_what_is_on_the_host() -> None:
    assert human.plan(plan(MEMORY)).splitlines()[:2] == [
        "! k6/compose:qdrant  service qdrant memory limit  22 GiB → 16 GiB on the host",
        "    drift, changed by hand on the host, recreate",
    ]


def test_a_policy_is_not_on_a_host_and_what_goes_becomes_nothing() -> None:
    of_policy = {"address": Address("tailnet", "policy", "pais"), "subject": "group:admins"}
    mend = change(**of_policy, action=Action.MEND, before="a, b", after="a")
    gone = change(**of_policy, action=Action.DELETE, before="a")
    lines = human.plan(Plan(policy=PolicyPlan(changes=(mend, gone)))).splitlines()
    assert lines[0] == "! tailnet/policy:pais  group:admins  a → a, b in force"
    assert lines[2] == "- tailnet/policy:pais  group:admins  a"


def test_long_values_show_where_they_differ_on_one_line() -> None:
    before, after = ("\n".join(["word"] * 40 + [each] + ["word"] * 40) for each in ("old", "new"))
    line = human.plan(plan(change(field="command", before=before, after=after))).splitlines()[0]
    assert "old" in line
    assert "new" in line
    assert len(line) < 150


@pytest.mark.parametrize(
    ("shown", "summary"),
    [
        (plan(), "Nothing to do: 2 hosts as wanted."),
        (plan(problem="gone"), "Nothing to do: 1 host as wanted; 1 host could not be planned."),
        (plan(IMAGE), "Plan: 1 to change on 1 of 2 hosts."),
        (
            plan(IMAGE, MEMORY, problem="gone"),
            "Plan: 1 to change, 1 to mend on 1 of 2 hosts. 1 host could not be planned.",
        ),
        (Plan((HostPlan("k6", problem="x"),)), "No plan: 1 host could not be planned."),
        (Plan(policy=PolicyPlan()), "Nothing to do: the access policy is as wanted."),
        (
            Plan((HostPlan("k6"),), PolicyPlan(notes=("left alone: 2 drift",))),
            "Nothing to do but what is left alone.",
        ),
    ],
)
def test_the_last_line_sums_up(shown: Plan, summary: str) -> None:
    assert human.plan(shown).splitlines()[-1] == summary


def test_a_terminal_gets_colour_and_a_pipe_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    plain = human.plan(plan(IMAGE, MEMORY))
    assert "\x1b" not in plain
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    coloured = human.plan(plan(IMAGE, MEMORY))
    assert "\x1b[" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in human.plan(plan(IMAGE, MEMORY))


def test_what_looks_like_markup_is_text() -> None:
    odd = change(field="label", before="[red]x[/red]", after=":smile: [link=x]")
    assert "[red]x[/red] → :smile: [link=x]" in human.plan(plan(odd))


def test_what_a_host_says_does_not_steer_the_terminal() -> None:
    odd = change(field="label", before="\x1b[31mx\x9b2J", after="y\r\x7f", diff="+\x1b]0;title\x07")
    shown = human.plan(plan(odd), show_diffs=True)
    assert not set("\x1b\x9b\r\x7f\x07") & set(shown)
    assert "␛[31mx" in shown


def test_json_says_the_same_in_words() -> None:
    document = json.loads(json_view.plan(plan(IMAGE, problem="gone")))
    assert document["format"] == 1
    [host, other] = document["hosts"]
    assert (other["problem"], other["hint"]) == ("gone", "look")
    assert host["stacks"][0]["changes"] == [
        {
            "address": "k6/compose:qdrant",
            "action": "update",
            "subject": "service qdrant",
            "field": "image",
            "live": "v1.18.3",
            "wanted": "v1.19.0",
            "cause": "pending",
            "reason": None,
            "disruption": "recreate",
            "source": {"file": "inventory/pais.yaml", "line": 61, "column": 1},
            "downloads": "qdrant/qdrant:v1.19.0",
            "diff": None,
        }
    ]


def test_counts_and_parts_of_a_plan() -> None:
    whole = plan(IMAGE, MEMORY)
    assert count(whole.changes) == {Action.UPDATE: 1, Action.MEND: 1}
    assert whole.only({("k6", "qdrant")}).changes == [IMAGE, MEMORY]
    assert whole.only({("k6", "other")}).changes == []
    assert not whole.is_drift_only
    assert plan(MEMORY).is_drift_only
    assert not plan()


def ended(outcome: Outcome, **values: Any) -> HostResult:
    end = StackEnded("k6", "qdrant", outcome, **values)
    return HostResult("k6", {"qdrant": end}, HostState("k6"))


def test_a_report_of_success() -> None:
    report = Report(plan(IMAGE), {"k6": ended(Outcome.APPLIED)}, plan())
    assert report.succeeded
    assert report_view.as_text(report).splitlines() == [
        "✓ k6/compose:qdrant  applied and read back",
        "Done: 1 stack applied on 1 host.",
    ]


def test_a_report_of_failure_says_what_to_do() -> None:
    result = ended(Outcome.FAILED, step="recreate qdrant", message="no space", log=("a", "b"))
    report = Report(plan(IMAGE), {"k6": result}, plan(IMAGE))
    assert not report.succeeded
    assert report_view.as_text(report).splitlines() == [
        "✗ k6/compose:qdrant  failed at: recreate qdrant",
        "    no space",
        "    | a",
        "    | b",
        "    next: mend the cause, then paisctl apply k6 --stack qdrant",
        "Not done: of 1 stack, 1 failed.",
    ]


def test_a_stack_that_could_not_be_removed_is_not_named_in_a_selection() -> None:
    """The inventory does not know it any more, so that `--stack` would refuse it."""
    report = Report(plan(IMAGE, entry=""), {"k6": ended(Outcome.FAILED)}, plan(IMAGE))
    assert (
        "    next: mend the cause, then paisctl apply k6"
        in report_view.as_text(report).splitlines()
    )


def test_after_a_rollback_that_failed_the_way_on_is_not_forward() -> None:
    report = Report(plan(IMAGE), {"k6": ended(Outcome.FAILED)}, plan(IMAGE))
    said = report_view.as_text(report, {"k6": 6})
    assert "then paisctl rollback k6 --to 6 --stack qdrant\n" in said


def test_what_still_differs_after_an_apply_is_no_success() -> None:
    report = Report(plan(IMAGE), {"k6": ended(Outcome.APPLIED)}, plan(MEMORY))
    assert not report.succeeded
    assert "applied, but it still differs" in report_view.as_text(report)


def test_a_lost_host_is_no_success() -> None:
    result = HostResult("k6", {}, None, "the connection was lost", changing="qdrant")
    report = Report(plan(IMAGE), {"k6": result}, plan())
    assert not report.succeeded
    assert "goes on or goes back by itself" in report_view.as_text(report)


def test_a_report_names_the_hosts_that_could_not_be_planned() -> None:
    """Why stands in the plan: with many hosts it is far above by then."""
    hosts = (*plan(IMAGE, problem="gone").hosts, HostPlan("nas", problem="gone, too"))
    report = Report(Plan(hosts), {"k6": ended(Outcome.APPLIED)}, plan())
    assert not report.succeeded
    assert report_view.as_text(report).splitlines() == [
        "✓ k6/compose:qdrant  applied and read back",
        "? m7-1, nas  could not be planned, so nothing was done there",
        "    next: paisctl plan m7-1 nas",
        "Not done: of 1 stack, 1 applied; 2 hosts could not be planned.",
    ]


def test_a_table_of_states() -> None:
    rows = [
        Row("k6", "qdrant", "qdrant", "q:1", "q:1", "healthy", "", "2026-05-04T10:20:30Z"),
        Row("k6", "cache", "redis", "r:8", "r:7", "healthy", "pending", "2026-05-04T10:20:30Z"),
        Row("k6", "old", "app", "", "x:1", "running", "orphan", ""),
        Row("k6", "web", "web", "w:1", "", "missing", "drift", ""),
        Row("m7-1", problem="gone"),
    ]
    assert status_view.as_table(rows).splitlines() == [
        "HOST  SERVICE      VERSION  STATE             SINCE (UTC)",
        "k6    qdrant       1        healthy           2026-05-04 10:20",
        "k6    cache/redis  7 → 8    healthy, pending  2026-05-04 10:20",
        "k6    old/app      1        running, orphan   -",
        "k6    web          1        missing, drift    -",
        "? m7-1  gone",
        "4 services: 3 well, 3 not as wanted; 1 host could not be read",
    ]
    assert json.loads(status_view.as_json(rows))["services"][-1]["problem"] == "gone"


def test_a_run_that_ended_alike_on_many_hosts_is_said_once() -> None:
    """A canary that fails leaves it on all the others."""
    origin = Origin(run="r1", who="ann", machine="pc", command="apply")

    def standing(device: str, outcome: str, **stacks: str) -> Standing:
        time = "2026-05-04T10:20:30Z"
        return Standing(device, None, Run(device, time, origin, 3, outcome, "", stacks))

    stopped = [standing(device, "stopped", web="skipped") for device in ("m7-1", "nas", "pi")]
    failed = standing("k6", "rolled-back", web="rolled-back")
    assert status_view.as_table([], [stopped[0], failed, *stopped[1:]]).splitlines()[:-1] == [
        "! m7-1, nas, pi  the last run was stopped before it was done: web skipped",
        "    apply by ann@pc, 2026-05-04 10:20 UTC",
        "    next: paisctl plan m7-1 nas pi",
        "! k6  the last run failed and was rolled back to generation 3: web",
        "    apply by ann@pc, 2026-05-04 10:20 UTC",
        "    next: paisctl plan k6",
    ]


def test_a_table_of_nothing() -> None:
    assert status_view.as_table([]) == "0 services: 0 well, 0 not as wanted\n"


def test_the_tag_of_a_pinned_image_is_its_tag() -> None:
    row = Row("k6", "q", "q", "registry:5000/q:v1.2@sha256:" + "0" * 64, "", "missing")
    assert "  v1.2  " in status_view.as_table([row])


def test_a_secret_within_a_setting_is_shown_as_its_name() -> None:
    assert device_view._yaml({"A": token("key")}) == '{"A": "(secret key)"}'
