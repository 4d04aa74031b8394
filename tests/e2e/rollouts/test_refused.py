"""Reasons not to begin: each is named, and nothing is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.e2e.faults.harness.controller import Controller
from tests.e2e.rollouts.knowledge import COLLECTION, QDRANT, Knowledge, until

NEXT = "v1.18.99"  # a version that nobody makes an image of
CLUSTER, NOTES = "/cluster", f"/collections/{COLLECTION}"
Fault = Callable[[Knowledge], object]


def refused(knowledge: Knowledge, overlay: Path, *options: str) -> str:
    """What a refused rollout says; it must have touched nothing."""
    before = knowledge.starts()
    told = knowledge.lab.paisctl("rollout", "knowledge", "--yes", *options, overlay=overlay)
    assert told.returncode == 1, told.stdout + told.stderr
    assert knowledge.starts() == before
    assert knowledge.drained() == set()
    return told.stdout + told.stderr


def answers(node: str, path: str, **patch: object) -> Fault:
    return lambda knowledge: knowledge.fault(node, answers={path: patch})


FAULTS: list[tuple[str, Fault, str, str]] = [
    (
        "consensus stopped",
        lambda k: k.fault("m7-1", consensus_stopped="snapshot is broken"),
        "m7-1",
        "snapshot is broken",
    ),
    (
        "pending operations",
        answers("m7-2", CLUSTER, raft_info={"pending_operations": 3}),
        "m7-2",
        "3",
    ),
    ("another term", answers("m7-2", CLUSTER, raft_info={"term": 99}), "", "term"),
    ("another leader", answers("m7-2", CLUSTER, raft_info={"leader": 7}), "", "leader"),
    ("no voter", answers("m7-1", CLUSTER, raft_info={"is_voter": False}), "m7-1", "vot"),
    ("a collection is red", answers("m7-1", NOTES, status="red"), "", "notes is red"),
    (
        "its optimizer has failed",
        answers("k6", NOTES, optimizer_status={"error": "no space"}),
        "",
        "no space",
    ),
    ("a replica is dead", lambda k: k.fault("m7-2", dead_replicas=True), "m7-2", "Dead"),
]


def test_whatever_is_wrong_is_said_and_nothing_is_touched(
    knowledge: Knowledge, tmp_path: Path
) -> None:
    knowledge.create()
    overlay = knowledge.overlay(tmp_path, NEXT, has_image=False)
    for name, fault, device, said in FAULTS:
        fault(knowledge)
        if "Dead" in said:
            until(lambda: "Dead" in knowledge.replica_states())
        text = refused(knowledge, overlay)
        lines = [line for line in text.splitlines() if line.startswith("? ")]
        assert any(device in line and said in line for line in lines), (name, text)
        knowledge.mend()
        until(knowledge.is_whole)


def test_all_reasons_are_said_at_once(knowledge: Knowledge, tmp_path: Path) -> None:
    knowledge.create(replication_factor=1)
    knowledge.fault("m7-1", answers={CLUSTER: {"raft_info": {"pending_operations": 3}}})
    knowledge.lab.root("m7-2", "docker", "stop", QDRANT)
    text = refused(knowledge, knowledge.overlay(tmp_path, "v1.20.0", has_image=False))
    for said in ("m7-1", "? m7-2", "3 cluster operations", COLLECTION, "v1.20"):
        assert said in text, text


def test_a_version_that_cannot_be_next_or_be_had_is_refused(
    knowledge: Knowledge, tmp_path: Path
) -> None:
    for tag in ("v1.17.9", "v2.0.0", "nightly", NEXT):
        text = refused(knowledge, knowledge.overlay(tmp_path, tag, has_image=False))
        assert tag in text, text


def test_data_with_one_copy_is_refused_or_copied_or_accepted(
    knowledge: Knowledge, tmp_path: Path
) -> None:
    knowledge.create("lonely", replication_factor=1)
    there = knowledge.put(60, "lonely")
    overlay = knowledge.next_version(tmp_path)
    assert "lonely" in refused(knowledge, overlay)
    accepted = ("rollout", "knowledge", "--dry-run", "--accept-downtime", "lonely")
    assert knowledge.lab.paisctl(*accepted, overlay=overlay).returncode == 0
    copied = ("rollout", "knowledge", "--yes", "--replicate-first")
    done = knowledge.lab.paisctl(*copied, overlay=overlay)
    assert done.returncode == 0, done.stdout + done.stderr
    for node in ("k6", "m7-1", "m7-2"):
        assert knowledge.points(node, "lonely") == there
    told = knowledge.ask("k6", "GET", "/collections/lonely/cluster")
    assert len(told["local_shards"]) + len(told["remote_shards"]) == 6


def test_two_at_once_are_one(knowledge: Knowledge, tmp_path: Path) -> None:
    knowledge.create()
    overlay = knowledge.next_version(tmp_path)
    with Controller(knowledge.lab, "rollout", "knowledge", "--yes", overlay=overlay) as first:
        assert first.wait_for(": changing"), first.said
        for step in ("start", "resume", "abort", "restart"):
            second = knowledge.lab.paisctl("rollout", "knowledge", step, overlay=overlay)
            assert second.returncode == 1, second.stdout
            assert "is being rolled by" in second.stderr
        status = knowledge.lab.paisctl("rollout", "knowledge", "status", overlay=overlay)
        assert "is under way" in status.stdout
        alone = knowledge.lab.paisctl(
            "apply", "--yes", "m7-2", "k6", "--stack", "qdrant", overlay=overlay
        )
        assert "has not ended" in alone.stdout
        assert first.end() == 0, first.said
    assert set(knowledge.versions().values()) == {knowledge.version}
