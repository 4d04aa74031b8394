from __future__ import annotations

import json
import signal

from .processes import QdrantNode, eventually

DOCUMENTS = {"vectors": {"size": 2, "distance": "Cosine"}, "replication_factor": 2}


def agree(nodes: list[QdrantNode]) -> bool:
    """Whether all nodes have the same peers, who all vote, and the same leader, term and commit."""
    views = [node.cluster() for node in nodes]
    facts = [
        [view["peers"], *(view["raft_info"][fact] for fact in ("leader", "term", "commit"))]
        for view in views
    ]
    return (
        all(fact == facts[0] for fact in facts)
        and all(view["raft_info"]["is_voter"] for view in views)
        and views[0]["raft_info"]["leader"] is not None
    )


def leader_of(nodes: list[QdrantNode]) -> QdrantNode:
    return next(n for n in nodes if n.cluster()["raft_info"]["role"] == "Leader")


def upsert(node: QdrantNode, ids: range) -> None:
    points = [{"id": i, "vector": [1.0, float(i)], "payload": {"n": i}} for i in ids]
    result = node.result("PUT", "/collections/documents/points?wait=true", {"points": points})
    assert result["status"] == "completed"


def test_three_nodes_agree_on_peers_leader_and_term(cluster: list[QdrantNode]) -> None:
    eventually(lambda: agree(cluster))
    views = [node.cluster() for node in cluster]
    assert len(views[0]["peers"]) == 3
    assert {view["uri"] for view in views[0]["peers"].values()} == {n.uri for n in cluster}
    assert {str(view["peer_id"]) for view in views} == set(views[0]["peers"])
    assert sorted(view["raft_info"]["role"] for view in views) == ["Follower", "Follower", "Leader"]
    for view in views:
        assert view["status"] == "enabled"
        assert view["message_send_failures"] == {}
        assert view["consensus_thread_status"]["consensus_thread_status"] == "working"
        assert 0 < view["peer_id"] < 1 << 53


def test_collections_and_their_shards_are_the_same_from_every_node(
    cluster: list[QdrantNode],
) -> None:
    follower = next(n for n in cluster if n is not leader_of(cluster))
    assert follower.result("PUT", "/collections/documents", DOCUMENTS) is True
    maps = []
    for node in cluster:
        view = node.result("GET", "/collections/documents/cluster")
        local = {(s["shard_id"], view["peer_id"], s["state"]) for s in view["local_shards"]}
        remote = {(s["shard_id"], s["peer_id"], s["state"]) for s in view["remote_shards"]}
        assert len(local) == 2
        maps.append(local | remote)
    assert maps[0] == maps[1] == maps[2]
    assert len(maps[0]) == 6  # a shard per node, two replicas each
    assert cluster[1].send("PUT", "/collections/documents", DOCUMENTS).status_code == 409
    assert cluster[2].result("DELETE", "/collections/documents") is True
    eventually(lambda: all(n.result("GET", "/collections") == {"collections": []} for n in cluster))


def test_points_are_kept_by_the_replicas_and_read_from_any_node(cluster: list[QdrantNode]) -> None:
    cluster[0].result("PUT", "/collections/documents", DOCUMENTS)
    upsert(cluster[1], range(60))
    assert [node.count("documents") for node in cluster] == [60, 60, 60]
    kept = [
        shard["points_count"]
        for node in cluster
        for shard in node.result("GET", "/collections/documents/cluster")["local_shards"]
    ]
    assert sum(kept) == 120
    cluster[0].program.stop()
    assert [node.count("documents") for node in cluster[1:]] == [60, 60]
    page = cluster[2].result("POST", "/collections/documents/points/scroll", {"limit": 25})
    rest = cluster[2].result(
        "POST",
        "/collections/documents/points/scroll",
        {"limit": 100, "offset": page["next_page_offset"]},
    )
    assert [p["id"] for p in page["points"] + rest["points"]] == list(range(60))
    assert page["points"][3] == {"id": 3, "payload": {"n": 3}}


def test_a_write_that_too_few_replicas_take_fails_and_says_why(cluster: list[QdrantNode]) -> None:
    cluster[0].result("PUT", "/collections/documents", DOCUMENTS | {"write_consistency_factor": 2})
    away = cluster[2].cluster()["peer_id"]
    cluster[2].program.stop()
    points = [{"id": i, "vector": [1, 1]} for i in range(20)]
    response = cluster[0].send("PUT", "/collections/documents/points", {"points": points})
    assert response.status_code == 500
    error = response.json()["status"]["error"]
    assert f"Failed peer: {away}" in error
    assert "2 out of 3 shards failed to apply operation" in error


def test_a_restarted_follower_returns_as_itself_and_the_term_stays(
    cluster: list[QdrantNode],
) -> None:
    eventually(lambda: agree(cluster))
    leader = leader_of(cluster)
    follower = next(n for n in cluster if n is not leader)
    before = follower.cluster()
    follower.program.stop(signal.SIGKILL)
    eventually(lambda: follower.uri in leader.cluster()["message_send_failures"])
    failure = leader.cluster()["message_send_failures"][follower.uri]
    assert failure["count"] >= 1
    assert failure["latest_error"]
    follower.start_and_wait()
    eventually(lambda: agree(cluster) and not leader.cluster()["message_send_failures"])
    after = follower.cluster()
    assert (after["peer_id"], after["peers"]) == (before["peer_id"], before["peers"])
    assert after["raft_info"]["term"] == before["raft_info"]["term"]


def test_a_lost_leader_is_replaced_and_follows_when_it_returns(cluster: list[QdrantNode]) -> None:
    eventually(lambda: agree(cluster))
    leader = leader_of(cluster)
    term = leader.cluster()["raft_info"]["term"]
    others = [node for node in cluster if node is not leader]
    leader.program.stop()
    # The two agree on the lost one at first.
    eventually(lambda: agree(others) and others[0].cluster()["raft_info"]["term"] > term)
    assert others[0].result("PUT", "/collections/documents", DOCUMENTS) is True
    leader.start_and_wait()
    eventually(lambda: agree(cluster))
    assert leader.cluster()["raft_info"]["role"] == "Follower"
    names = [c["name"] for c in leader.result("GET", "/collections")["collections"]]
    assert names == ["documents"]


def test_a_paused_follower_does_not_disturb_the_leader(cluster: list[QdrantNode]) -> None:
    eventually(lambda: agree(cluster))
    leader = leader_of(cluster)
    term = leader.cluster()["raft_info"]["term"]
    paused = next(node for node in cluster if node is not leader)
    assert paused.program.process is not None
    paused.program.process.send_signal(signal.SIGSTOP)
    eventually(lambda: leader.cluster()["message_send_failures"])
    paused.program.process.send_signal(signal.SIGCONT)
    eventually(lambda: agree(cluster) and not leader.cluster()["message_send_failures"])
    assert leader.cluster()["raft_info"]["role"] == "Leader"
    assert leader.cluster()["raft_info"]["term"] == term


def test_without_a_majority_collections_cannot_be_made_but_points_can_be_read(
    cluster: list[QdrantNode],
) -> None:
    cluster[0].result("PUT", "/collections/documents", DOCUMENTS | {"replication_factor": 3})
    upsert(cluster[0], range(5))
    cluster[1].program.stop()
    cluster[2].program.stop()
    assert cluster[0].count("documents") == 5
    # Persisted state, rather than ten seconds of waiting for the refusal.
    state = json.loads((cluster[0].storage / "raft_state.json").read_text())
    assert state["committed"]["document"]["voters"] == sorted(
        map(int, state["committed"]["document"]["peers"])
    )
