"""What is measured in which order, and what a run must have done to count."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.cases import (
    CASES,
    CHANGED_FILE,
    CHANGED_TAG,
    FIRST_DEPLOY,
    NOOP_APPLY,
    NOOP_PLAN,
    SLOW_HOST,
    WEB,
    Case,
    Look,
    problems,
    steps,
)
from benchmarks.engine import Container

COMPOSE = "opt/paisctl/stacks/web/compose.yaml"
CONFIGURATION = "opt/paisctl/stacks/web/haproxy/haproxy.cfg"
EXPORTER = "/machine-node-exporter-1"
NAMES = [case.name for case in CASES]

BASE = Look(
    {
        WEB: Container("1", "paisctl-lab/haproxy:3.2", "running"),
        EXPORTER: Container("2", "paisctl-lab/node-exporter:v1.12.1", "running"),
    },
    {COMPOSE: (0o644, "a"), CONFIGURATION: (0o644, "b")},
    "first",
)
NEW_TAG = replace(
    BASE,
    containers={**BASE.containers, WEB: Container("3", "paisctl-lab/haproxy:3.2.1", "running")},
    files={**BASE.files, COMPOSE: (0o644, "c")},
)
NEW_FILE = replace(BASE, files={**BASE.files, CONFIGURATION: (0o644, "d")}, word="second")
ANEW = replace(
    BASE,
    containers={
        name: replace(container, id=f"new {container.id}")
        for name, container in BASE.containers.items()
    },
)


def wrong(case: Case, after: Look) -> list[str]:
    return problems(case, {"host-01": BASE}, {"host-01": after})


@pytest.mark.parametrize(
    ("case", "after"),
    [
        (NOOP_PLAN, BASE),
        (NOOP_APPLY, BASE),
        (CHANGED_FILE, NEW_FILE),
        (CHANGED_TAG, NEW_TAG),
        (SLOW_HOST, NEW_TAG),
        (FIRST_DEPLOY, ANEW),
    ],
)
def test_a_run_counts_that_has_done_its_work(case: Case, after: Look) -> None:
    assert wrong(case, after) == []


@pytest.mark.parametrize("case", [CHANGED_FILE, CHANGED_TAG, FIRST_DEPLOY])
def test_a_run_that_did_nothing_does_not_count(case: Case) -> None:
    assert wrong(case, BASE)


@pytest.mark.parametrize("after", [NEW_TAG, NEW_FILE, ANEW])
def test_a_no_op_that_changed_something_does_not_count(after: Look) -> None:
    assert wrong(NOOP_APPLY, after)


def test_a_change_of_a_file_may_not_make_containers_anew() -> None:
    anew = replace(NEW_FILE, containers=ANEW.containers)
    assert wrong(CHANGED_FILE, anew) == [f"host-01: other containers: {EXPORTER}, {WEB}"]


def test_what_does_not_run_or_is_missing_does_not_count() -> None:
    dead = replace(ANEW.containers[WEB], status="exited")
    assert wrong(FIRST_DEPLOY, replace(ANEW, containers={**ANEW.containers, WEB: dead})) == [
        "host-01: a container does not run"
    ]
    alone = replace(ANEW, containers={EXPORTER: ANEW.containers[EXPORTER]})
    assert wrong(FIRST_DEPLOY, alone) == [f"host-01: its containers are {EXPORTER}"]


def test_the_order_is_what_matters_most_first() -> None:
    found = [(step.hosts, [case.name for case in step.cases]) for step in steps([15, 5], NAMES)]
    assert found[:3] == [(5, ["noop-plan"]), (15, ["noop-plan"]), (5, ["noop-apply"])]
    assert (15, ["changed-tag", "slow-host"]) in found  # in turns
    assert (5, ["changed-tag"]) in found


def test_a_slow_host_alone_comes_with_what_it_is_compared_with() -> None:
    [step] = steps([5], ["slow-host", "changed-tag"])
    assert step.cases == (CHANGED_TAG, SLOW_HOST)
