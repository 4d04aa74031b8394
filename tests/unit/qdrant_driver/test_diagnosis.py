"""What is said of a node that does not come back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paisctl.cluster.driver import Task
from tests.unit.qdrant_driver.members import HOSTNAME, Lab, lab

UPGRADE = Task("v1.19.0")
NEVER = {"Status": "created", "ExitCode": 128, "StartedAt": "0001-01-01T00:00:00Z"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Three members of which `m7-1` has died; no test changes anything but its mark."""
    with lab(tmp_path_factory.mktemp("cluster")) as three:
        three.cluster.create_collection("documents")
        three.cluster["m7-1"].kill()
        yield three


@pytest.fixture
def storage(running: Lab) -> Path:
    storage = running.cluster["m7-1"].storage
    (storage / "written").unlink(missing_ok=True)
    (storage / ".started-by").write_text(f"{HOSTNAME}\n")
    return storage


def test_what_is_known(running: Lab, storage: Path) -> None:
    found = running.driver.diagnose("m7-1", UPGRADE)
    assert found.facts[0] == "its container is exited, exit status 0"
    assert found.facts[1] == "its storage was not touched by v1.19.0"
    assert found.facts[2].startswith("nothing answers at ")
    assert found.can_be_rebuilt
    assert (storage / ".started-by").exists()


def test_storage_that_was_written_does_not_go_back(running: Lab, storage: Path) -> None:
    assert running.driver.diagnose("m7-1", UPGRADE).may_go_back is True
    (storage / "aside-20261122T200000Z").mkdir(exist_ok=True)
    (storage / "aside-20261122T200000Z" / "old").write_text("")
    (storage / ".started-by").write_text(f"{HOSTNAME}\n")
    (storage / "aside-20261122T200000Z" / "old").write_text("")
    assert running.driver.diagnose("m7-1", UPGRADE).may_go_back is True
    (storage / "written").write_text("")
    found = running.driver.diagnose("m7-1", UPGRADE)
    assert found.may_go_back is False
    assert "its storage was opened by v1.19.0" in found.facts


def test_a_container_of_the_version_before_has_let_no_other_one_at_the_data(
    running: Lab, storage: Path
) -> None:
    (storage / "written").write_text("")
    os.utime(storage / "written", (2e9, 2e9))
    assert running.driver.diagnose("m7-1", UPGRADE).may_go_back is False
    assert running.driver.diagnose("m7-1", Task("v1.19.1")).may_go_back is True


def test_a_mark_of_another_container_says_nothing(running: Lab, storage: Path) -> None:
    (storage / ".started-by").write_text("another\n")
    assert running.driver.diagnose("m7-1", UPGRADE).may_go_back is None
    assert running.driver.diagnose("m7-1", Task("v1.18.3", is_restart=True)).may_go_back is None


@pytest.mark.parametrize(
    ("container", "fact", "may_go_back"),
    [
        (
            {"State": {**NEVER, "Error": "port is allocated"}},
            "Docker says: port is allocated",
            True,
        ),
        ({"State": NEVER}, "its container is created, exit status 128", True),
        (
            {"RestartCount": 4},
            "its container is exited, exit status 0, restarted 4 times",
            True,
        ),
        (
            {"State": {"Status": "exited", "ExitCode": 137, "OOMKilled": True}},
            "its container is exited, exit status 137, killed for want of memory",
            True,
        ),
    ],
)
def test_the_container_is_described(
    running: Lab,
    storage: Path,
    container: dict[str, Any],
    fact: str,
    may_go_back: bool | None,
) -> None:
    assert storage.exists()
    running.members["m7-1"].container = container
    try:
        found = running.driver.diagnose("m7-1", UPGRADE)
    finally:
        running.members["m7-1"].container = {}
    assert fact in found.facts
    assert found.may_go_back is may_go_back
    assert bool(found.hints) == ("137" in fact)


def test_what_nobody_else_has_cannot_be_rebuilt(tmp_path: Path) -> None:
    with lab(tmp_path) as three:
        three.cluster.create_collection("single", replication_factor=1)
        found = three.driver.diagnose("m7-1", UPGRADE)
    assert not found.can_be_rebuilt
    assert "no other node has all of single Active" in found.facts
    assert "it answers, as 1.18.3" in found.facts
