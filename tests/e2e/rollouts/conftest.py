"""A lab of its own for rollouts: three nodes, each test at a newer version, and their load balancer."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.e2e.rollouts.knowledge")

from tests.e2e.conftest import INVENTORIES  # noqa: E402
from tests.e2e.labs import Labs  # noqa: E402
from tests.e2e.rehearsal import Rehearsal  # noqa: E402
from tests.e2e.rollouts.knowledge import NODES, Knowledge, until  # noqa: E402
from tests.e2e.scenario import apply  # noqa: E402

DEVICES = (*NODES, "mac-mini")
FLEET = (*INVENTORIES, Path(__file__).with_name("fleet.yaml"))
STACKS = ("--stack", "qdrant", "--stack", "haproxy", "--stack", "redis-cache")


@pytest.fixture(scope="session")
def rolling_lab(labs: Labs) -> Knowledge:
    """The stacks that are rolled, and what is in front of them, deployed."""
    lab = labs.up("rollouts", FLEET, DEVICES)
    apply(lab, *STACKS)
    return Knowledge(lab)


@pytest.fixture
def knowledge(rolling_lab: Knowledge, tmp_path: Path) -> Knowledge:
    """The cluster, whole and empty, with nothing remembered of rollouts before."""
    rolling_lab.forget_rollouts()
    rolling_lab.mend()
    until(rolling_lab.is_whole, 120)
    versions = sorted(rolling_lab.versions().values(), key=lambda v: int(v.rpartition(".")[2]))
    rolling_lab.patch = int(versions[-1].rpartition(".")[2])
    if versions[0] != versions[-1]:  # a rollout was aborted
        overlay = rolling_lab.overlay(tmp_path, rolling_lab.version)
        for node in NODES:
            apply(rolling_lab.lab, node, "--stack", "qdrant", overlay=overlay)
        until(rolling_lab.is_whole, 120)
    rolling_lab.drop_all()
    return rolling_lab


@pytest.fixture
def lab(rolling_lab: Knowledge) -> Rehearsal:
    return rolling_lab.lab
