"""The driver on processes with faults, and broken off in the middle of its work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from paisctl.cluster.driver import Task
from tests.unit.qdrant_driver.members import Lab, MemoryJournal, lab

UPGRADE = Task("v1.19.0")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("cluster")) as three:
        three.cluster.create_collection("documents")
        yield three


@pytest.fixture
def faulty(running: Lab) -> Iterator[Lab]:
    if "documents" not in running.nodes.answering().shards:
        running.cluster.create_collection("documents")
    yield running
    running.cluster["m7-1"].set_faults()


def answer(path: str, **changes: Any) -> dict[str, Any]:
    return {"answers": {path: changes}}


@pytest.mark.parametrize(
    ("switches", "words"),
    [
        ({"consensus_stopped": "disk full"}, "its consensus has stopped: disk full"),
        (
            answer("/cluster", raft_info={"pending_operations": 3}),
            "3 cluster operations wait to be applied",
        ),
        (answer("/cluster", raft_info={"leader": None}), "it knows no leader"),
        (answer("/cluster", raft_info={"is_voter": False}), "it has no vote in the cluster yet"),
        (
            answer("/cluster", consensus_thread_status={"last_update": "2026-11-22T20:00:00Z"}),
            "its consensus stands still since 2026-11-22T20:00:00Z",
        ),
        (answer("/cluster", status="disabled"), "QDRANT__CLUSTER__ENABLED is not true there"),
        (answer("/collections/documents", status="red"), "documents is red"),
        (
            answer("/collections/documents", optimizer_status={"error": "no space"}),
            "documents: its optimizer has failed: no space",
        ),
        (
            answer("/collections/documents/cluster", resharding_operations=[{"shard_id": 0}]),
            "documents is being resharded",
        ),
    ],
)
def test_a_fault_is_an_obstacle(faulty: Lab, switches: dict[str, Any], words: str) -> None:
    faulty.cluster["m7-1"].set_faults(**switches)
    found = [str(each) for each in faulty.driver.preflight(UPGRADE)]
    assert any(words in each for each in found), found


@dataclass
class Mortal(MemoryJournal):
    """Dies when it has kept so many values."""

    left: int = 1

    def keep(self, key: str, value: Any) -> None:
        super().keep(key, value)
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.parametrize("keeps", range(1, 7))
def test_preparing_may_break_off_after_anything_it_kept(running: Lab, keeps: int) -> None:
    journal, name = Mortal(left=keeps), f"broken-off-{keeps}"
    for existing in running.nodes.answering().shards:
        running.cluster["k6"].result("DELETE", f"/collections/{existing}")
    running.cluster.create_collection(name, write_consistency_factor=2)
    with pytest.raises(KeyboardInterrupt):
        running.driver.prepare(UPGRADE, journal, running.say)
    running.driver.prepare(UPGRADE, journal, running.say)
    assert journal.get("write_consistency") == {name: {"was": 2, "set": 1}}
    for node in running.cluster.nodes:
        assert len(list((node.snapshots / name).glob("*.snapshot"))) == 1
    assert running.driver.finish(UPGRADE, journal, running.say) == []
    assert running.driver.finish(UPGRADE, journal, running.say) == []
    view = running.nodes.answering(collections=True).collections[name]
    assert view.write_consistency_factor == 2
