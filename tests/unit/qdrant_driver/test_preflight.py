"""Every reason not to begin, each from what the nodes say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from paisctl.cluster.driver import Obstacle, Task
from qdrant_driver.disk import Disk
from qdrant_driver.nodes import Look, NodeView
from qdrant_driver.preflight import reasons
from qdrant_driver.shapes import Transfer
from qdrant_driver.versions import parse_version, version_obstacles
from tests.unit.qdrant_driver.looks import (
    DEVICES,
    DISK,
    GIB,
    PEERS,
    cluster,
    collection,
    earlier,
    look,
    node,
    shards,
)

UPGRADE = Task("v1.19.0")
DISKS = dict.fromkeys(DEVICES, DISK)


def obstacles(
    now: Look,
    task: Task = UPGRADE,
    away: Collection[str] = (),
    disks: dict[str, Disk] | None = None,
    before: Look | None = None,
) -> list[Obstacle]:
    return reasons(now, before or earlier(), DISKS if disks is None else disks, task, away)


def only(found: list[Obstacle]) -> str:
    [obstacle] = found
    return str(obstacle)


def test_a_healthy_cluster_has_none() -> None:
    assert obstacles(look()) == []


def m7_1(**changes: Any) -> NodeView:
    return node("m7-1", cluster=cluster(2, **changes))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            node("m7-1", problem=Obstacle("HTTP 401", device="m7-1"), cluster=None, shards={}),
            "m7-1: HTTP 401",
        ),
        (
            m7_1(consensus="stopped_with_err", error="disk full", last_update=""),
            "m7-1: its consensus has stopped: disk full",
        ),
        (m7_1(pending=3), "m7-1: 3 cluster operations wait to be applied"),
        (m7_1(is_voter=False), "m7-1: it has no vote in the cluster yet"),
        (m7_1(leader=None), "m7-1: it knows no leader"),
        (
            m7_1(leader=3),
            "the nodes disagree about the leader: k6 says k6, m7-1 says m7-2, m7-2 says k6",
        ),
        (m7_1(term=5), "the nodes are in different Raft terms: k6 4, m7-1 5, m7-2 4"),
        (m7_1(commit=89), "m7-1: it is 11 cluster operations behind"),
        (
            m7_1(last_update="2026-11-22T20:00:00Z"),
            "m7-1: its consensus stands still since 2026-11-22T20:00:00Z",
        ),
        (
            node("k6", cluster=cluster(1, send_failures={PEERS[3]: "timed out"})),
            "k6: it cannot reach m7-2: timed out",
        ),
        (
            m7_1(peers={1: PEERS[1], 2: PEERS[2]}),
            "m7-1: it does not count m7-2 among its peers",
        ),
        (
            m7_1(peers={**PEERS, 9: "http://old:6335"}),
            "m7-1: it counts a peer 9 at http://old:6335 that the inventory does not have",
        ),
        (
            node("m7-1", shards={"documents": shards(2, {(0, 2): "Dead", (1, 2): "Dead"})}),
            "2 of 2 replicas on m7-1 are Dead (documents)",
        ),
        (
            node("m7-1", shards={"documents": shards(2, {(2, 3): "Partial"})}),
            "1 of 2 replicas on m7-2 is Partial (documents)",
        ),
        (
            node("m7-1", shards={"documents": shards(2, {}, (Transfer(1, 2, 3, "wal_delta"),))}),
            "documents: transfer of shard 1 m7-1 → m7-2 by wal_delta",
        ),
        (
            node("m7-1", shards={"documents": shards(2, resharding=1)}),
            "documents is being resharded",
        ),
        (node("m7-1", shards={}), "m7-1: it does not have the collection documents"),
        (
            node("m7-1", collections={"documents": collection(status="red")}),
            "documents is red: operations on it have failed",
        ),
        (
            node("m7-1", collections={"documents": collection(optimizer_error="no space")}),
            "documents: its optimizer has failed: no space",
        ),
    ],
)
def test_one_reason(changed: NodeView, words: str) -> None:
    assert only(obstacles(look(changed))) == words


@pytest.mark.parametrize("status", ["yellow", "grey"])
def test_work_that_goes_on_or_waits_is_no_reason(status: str) -> None:
    assert obstacles(look(node("k6", collections={"documents": collection(status=status)}))) == []


def test_a_commit_may_be_a_little_behind() -> None:
    assert obstacles(look(m7_1(commit=95))) == []


def test_what_a_follower_could_not_send_long_ago_is_no_matter() -> None:
    assert obstacles(look(m7_1(send_failures={PEERS[3]: "timed out"}))) == []


def test_all_reasons_are_told_at_once() -> None:
    changed = m7_1(pending=1, is_voter=False)
    found = obstacles(look(changed, node("k6", version="1.17.0")))
    assert len(found) == 4


def test_who_is_away_is_not_missed() -> None:
    others = [
        node(
            device,
            cluster=cluster(peer, send_failures={PEERS[2]: "refused"}),
            shards={"documents": shards(peer, {(0, 2): "Dead"}, (Transfer(1, 3, 2),))},
        )
        for peer, device in ((1, "k6"), (3, "m7-2"))
    ]
    silent = NodeView("m7-1", PEERS[2], Obstacle("silent", device="m7-1"))
    assert obstacles(look(silent, *others), away={"m7-1"}) == []
    assert len(obstacles(look(silent, *others))) > 1


def test_who_could_not_even_be_asked_is_known_as_a_peer_only() -> None:
    failing = cluster(1, send_failures={PEERS[2]: "refused"})
    states = {(0, 2): "Dead"}
    nodes = {
        "k6": node("k6", cluster=failing, shards={"documents": shards(1, states)}),
        "m7-2": node("m7-2", shards={"documents": shards(3, states)}),
    }
    before = Look({each: earlier().nodes[each] for each in nodes}, 0.0)
    assert obstacles(Look(nodes, 2.0), away={"m7-1"}, before=before) == []
    assert len(obstacles(Look(nodes, 2.0), before=before)) > 1


def test_the_others_must_have_what_is_away() -> None:
    seen = {
        peer: node(device, shards={"documents": shards(peer, {(0, 1): "Dead"})})
        for peer, device in ((1, "k6"), (3, "m7-2"))
    }
    found = [str(each) for each in obstacles(look(*seen.values()), away={"m7-1"})]
    assert "documents: no other node has shard 0 Active" in found


def test_a_single_replica_is_refused_copied_first_or_accepted() -> None:
    places = {0: (1,), 1: (2, 3)}
    one = look(
        *(
            node(device, shards={"documents": shards(peer, places=places)})
            for peer, device in enumerate(DEVICES, 1)
        )
    )
    [obstacle] = obstacles(one)
    assert obstacle.what == "documents: shard 0 has no second replica (on k6)"
    assert obstacle.hint == "--replicate-first, or --accept-downtime documents"
    assert obstacles(one, Task("v1.19.0", replicate_first=True)) == []
    assert obstacles(one, Task("v1.19.0", accept_downtime=frozenset({"documents"}))) == []


def test_two_nodes_are_no_majority_without_one() -> None:
    peers = {1: PEERS[1], 2: PEERS[2]}
    places: dict[int, tuple[int, ...]] = {0: (1, 2)}
    nodes = {
        device: node(
            device,
            cluster=cluster(peer, peers=peers),
            shards={"documents": shards(peer, places=places)},
        )
        for peer, device in ((1, "k6"), (2, "m7-1"))
    }
    two = Look(nodes, 10.0)
    assert "writes fail while one of 2 nodes is away" in only(obstacles(two))
    assert obstacles(two, Task("v1.19.0", accept_downtime=frozenset({"documents"}))) == []


@pytest.mark.parametrize(
    ("disk", "words"),
    [
        (replace(DISK, storage_free=19 * GIB), "19.0 GiB are free below /qdrant/storage, 20.0 are"),
        (
            replace(DISK, shared=False, snapshots_free=9 * GIB),
            "9.0 GiB are free below /qdrant/snapshots, 10.0 are needed",
        ),
        (
            replace(DISK, shared=False, storage_free=9 * GIB),
            "9.0 GiB are free below /qdrant/storage",
        ),
    ],
)
def test_space_for_snapshots_and_for_the_largest_collection(disk: Disk, words: str) -> None:
    assert words in only(obstacles(look(), disks={"k6": disk}))


def test_without_snapshots_less_space_is_needed() -> None:
    disk = replace(DISK, storage_free=11 * GIB, snapshots_free=0)
    assert obstacles(look(), Task("v1.19.0", takes_snapshots=False), disks={"k6": disk}) == []


@pytest.mark.parametrize(("tag", "uid"), [("v1.19.0-unprivileged", 0), ("v1.19.0", 1000)])
def test_an_image_of_another_user_is_refused(tag: str, uid: int) -> None:
    disks = {"k6": replace(DISK, uid=uid)}
    assert "could not write what is there" in only(obstacles(look(), Task(tag), disks=disks))


@pytest.mark.parametrize(
    ("target", "running", "words"),
    [
        ("v1.18.3", ["1.18.3"], []),
        ("v1.18.4", ["1.18.3"], []),
        ("v1.19.0", ["1.18.3"], []),
        ("1.19.0@sha256:abc", ["1.18.3"], []),
        ("v1.19.0", ["1.18.3", "1.19.0", "1.19.0"], []),
        ("v1.20.0", ["1.18.3"], ["from 1.18.3 on k6 to 1.20.0 is more than one minor version"]),
        ("v2.0.0", ["1.18.3"], ["from 1.18.3 on k6 to 2.0.0 is more than one minor version"]),
        ("v1.18.2", ["1.18.3"], ["1.18.2 is older than 1.18.3 on k6: Qdrant does not go back"]),
        ("v1.18.9", ["1.19.0"], ["1.18.9 is older than 1.19.0 on k6: Qdrant does not go back"]),
        ("latest", ["1.18.3"], ["what version the tag latest means cannot be told"]),
        ("v1.19", ["1.18.3"], ["what version the tag v1.19 means cannot be told"]),
        ("v1.19.0", ["nightly"], ["k6: it runs nightly, which is no release"]),
        (
            "v1.19.0",
            ["1.18.2", "1.18.3"],
            ["the nodes run different versions: k6 1.18.2, m7-1 1.18.3"],
        ),
    ],
)
def test_versions(target: str, running: list[str], words: list[str]) -> None:
    by_device = dict(zip(DEVICES, running, strict=False))
    assert [str(each) for each in version_obstacles(target, by_device)] == words


def test_a_restart_needs_no_version_but_one_for_all() -> None:
    task = Task("latest", is_restart=True)
    assert obstacles(look(), task) == []
    assert "different versions" in only(obstacles(look(node("k6", version="1.19.0")), task))


def test_flavours_are_read() -> None:
    version = parse_version("v1.19.0-gpu-nvidia-unprivileged")
    assert version is not None
    assert (str(version), version.is_unprivileged) == ("1.19.0", True)
