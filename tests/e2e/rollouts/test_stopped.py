"""Nodes that do not come back, and a paisctl that dies: what is said, what can be done, nothing is lost."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.e2e.faults.harness.controller import Controller
from tests.e2e.rehearsal import Completed
from tests.e2e.rollouts.knowledge import COLLECTION, NODES, Knowledge


def roll(knowledge: Knowledge, overlay: Path, *options: str) -> Completed:
    return knowledge.lab.paisctl("rollout", "knowledge", *options, overlay=overlay)


def follower(knowledge: Knowledge) -> str:
    """The node that is rolled first."""
    told = knowledge.ask("k6", "GET", "/cluster")
    leader = told["raft_info"]["leader"]
    names = [n for n in NODES if knowledge.ask(n, "GET", "/cluster")["peer_id"] != leader]
    return names[0]


def test_a_node_that_died_before_it_touched_its_data_is_put_back(
    knowledge: Knowledge, tmp_path: Path
) -> None:
    knowledge.create(write_consistency_factor=2)
    there, old, node = knowledge.put(100), knowledge.version, follower(knowledge)
    overlay = knowledge.next_version(tmp_path)
    new = knowledge.version.removeprefix("v")
    knowledge.fault(node, dies_at_start={"from": new})
    stopped = roll(knowledge, overlay, "--yes")
    assert stopped.returncode == 1, stopped.stdout + stopped.stderr
    put_back = f"paisctl rollout knowledge abort --put-back {node}"
    assert put_back in stopped.stdout
    assert "Done" not in stopped.stdout
    others = [each for each in NODES if each != node]
    assert {knowledge.ask(each, "GET", "/")["version"] for each in others} == {
        old.removeprefix("v")
    }
    status = roll(knowledge, overlay, "status")
    assert "stopped" in status.stdout
    aborted = roll(knowledge, overlay, "abort", "--put-back", node, "--yes")
    assert aborted.returncode == 0, aborted.stdout + aborted.stderr
    knowledge.patch -= 1
    assert set(knowledge.versions().values()) == {old}
    assert (knowledge.points(node), knowledge.write_factor()) == (there, 2)
    assert knowledge.drained() == set()


def test_a_node_that_touched_its_data_is_not_put_back_but_filled_by_the_others(
    knowledge: Knowledge, tmp_path: Path
) -> None:
    knowledge.create(write_consistency_factor=2)
    there, node = knowledge.put(100), follower(knowledge)
    overlay = knowledge.next_version(tmp_path)
    new = knowledge.version.removeprefix("v")
    knowledge.fault(node, dies_at_start={"from": new, "touched": True})
    stopped = roll(knowledge, overlay, "--yes")
    assert stopped.returncode == 1, stopped.stdout + stopped.stderr
    assert "--put-back" not in stopped.stdout
    assert f"paisctl rollout knowledge resume --rebuild-node {node}" in stopped.stdout
    refused = roll(knowledge, overlay, "abort", "--put-back", node, "--yes")
    assert refused.returncode == 1
    assert "is not taken back" in refused.stderr
    done = roll(knowledge, overlay, "resume", "--rebuild-node", node, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(knowledge.versions().values()) == {knowledge.version}
    assert knowledge.is_whole()
    assert knowledge.write_factor() == 2
    for each in NODES:
        assert knowledge.points(each) == there
    kept = f"find /var/lib/docker/volumes/qdrant_storage/_data -path '*{COLLECTION}*' -type d"
    assert len(knowledge.lab.root(node, "sh", "-c", kept).splitlines()) > 1


def test_replicas_that_stay_dead_stop_it(knowledge: Knowledge, tmp_path: Path) -> None:
    knowledge.create()
    there, node = knowledge.put(100), follower(knowledge)
    overlay = knowledge.next_version(tmp_path)
    with Controller(knowledge.lab, "rollout", "knowledge", "--yes", overlay=overlay) as rolled:
        assert rolled.wait_for(f"{node}: changing"), rolled.said
        knowledge.fault(node, dead_replicas=True)
        assert rolled.end() == 1, rolled.said
    assert "Dead" in rolled.said
    assert f"resume --rebuild-node {node}" in rolled.said
    knowledge.fault(node)
    done = roll(knowledge, overlay, "resume")
    assert done.returncode == 0, done.stdout + done.stderr
    assert knowledge.points(node) == there


def test_slow_ones_are_waited_for(knowledge: Knowledge, tmp_path: Path) -> None:
    knowledge.create()
    node = follower(knowledge)
    overlay = knowledge.next_version(tmp_path)
    knowledge.fault(node, ready_seconds=8, recovery_seconds=5)
    with knowledge.clients(tmp_path) as end:
        done = roll(knowledge, overlay, "--yes", "--no-snapshot")
        load = end()
    assert done.returncode == 0, done.stdout + done.stderr
    assert load.failed == []
    for each in NODES:
        assert set(load.acknowledged) <= knowledge.points(each)


MOMENTS = [
    (": making a snapshot", signal.SIGKILL),
    ("write consistency factor", signal.SIGKILL),
    (": draining", signal.SIGKILL),
    (": changing", signal.SIGKILL),
    ("recreate qdrant", signal.SIGINT),
    ("wait for qdrant", signal.SIGKILL),
    (": checking", signal.SIGKILL),
    ("gate replicas", signal.SIGKILL),
    ("resting", signal.SIGKILL),
]


def test_whenever_paisctl_ends_it_is_gone_on_with(knowledge: Knowledge, tmp_path: Path) -> None:
    """By another laptop as well as by this one: all that is known is on the hosts."""
    knowledge.create(write_consistency_factor=2)
    overlay = knowledge.next_version(tmp_path)
    step = "start"
    with knowledge.clients(tmp_path) as end:
        for moment, number in MOMENTS:
            with Controller(
                knowledge.lab, "rollout", "knowledge", step, "--yes", overlay=overlay
            ) as rolled:
                assert rolled.wait_for(moment), rolled.said
                rolled.kill(number)
                assert rolled.end() == (130 if number is signal.SIGINT else -number), rolled.said
            status = roll(knowledge, overlay, "status")
            assert "next: paisctl rollout knowledge resume" in status.stdout, status.stdout
            step = "resume"
        done = roll(knowledge, overlay, "resume", "--yes")
        load = end()
    assert done.returncode == 0, done.stdout + done.stderr
    assert load.failed == []
    for node in NODES:
        assert set(load.acknowledged) <= knowledge.points(node)
    assert set(knowledge.versions().values()) == {knowledge.version}
    assert (knowledge.write_factor(), knowledge.drained()) == (2, set())


def test_an_aborted_one_leaves_nothing_of_itself(knowledge: Knowledge, tmp_path: Path) -> None:
    knowledge.create(write_consistency_factor=2)
    old = knowledge.version
    overlay = knowledge.next_version(tmp_path)
    with Controller(knowledge.lab, "rollout", "knowledge", "--yes", overlay=overlay) as rolled:
        assert rolled.wait_for(": done"), rolled.said
        rolled.kill()
    aborted = roll(knowledge, overlay, "abort", "--yes")
    assert aborted.returncode == 0, aborted.stdout + aborted.stderr
    assert sorted(knowledge.versions().values()) == [old, old, knowledge.version]
    assert (knowledge.write_factor(), knowledge.drained()) == (2, set())
    on = roll(knowledge, overlay, "--yes")
    assert on.returncode == 0, on.stdout + on.stderr
    assert set(knowledge.versions().values()) == {knowledge.version}
