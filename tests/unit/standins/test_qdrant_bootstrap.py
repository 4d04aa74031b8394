from __future__ import annotations

import json
import shutil
import socket

from .conftest import NodeFactory
from .processes import QdrantNode, eventually, free_port

COLLECTION = {"vectors": {"size": 1, "distance": "Dot"}}


def peers_of(node: QdrantNode) -> set[str]:
    return set(node.cluster()["peers"])


def test_names_that_qdrant_does_not_read_give_nodes_without_a_cluster(
    new_node: NodeFactory,
) -> None:
    nodes = [new_node(name, member=False) for name in ("k6", "m7-1", "m7-2")]
    for node in nodes:
        node.start_and_wait(
            QDRANT_CLUSTER_ENABLED="true",
            QDRANT_CLUSTER_NODE_ID="k6-primary",
            QDRANT_CLUSTER_P2P_PORT="6335",
            QDRANT_BOOTSTRAP_URL=f"http://127.0.0.1:{nodes[0].p2p_port}",
        )
    assert [node.cluster() for node in nodes] == [{"status": "disabled"}] * 3


def test_the_first_peer_needs_its_uri(new_node: NodeFactory) -> None:
    node = new_node("k6", member=False)
    node.start(QDRANT__CLUSTER__ENABLED="true")
    assert node.program.exit_status() == 1
    assert "First peer should specify its uri" in node.program.log()


def test_a_peer_told_to_bootstrap_from_itself_is_the_first(new_node: NodeFactory) -> None:
    node = new_node("k6")
    node.start_and_wait(QDRANT_BOOTSTRAP=node.uri)
    assert len(peers_of(node)) == 1


def test_a_failed_bootstrap_ends_the_process_and_a_later_one_keeps_the_peer_id(
    new_node: NodeFactory,
) -> None:
    first, second = new_node("k6"), new_node("m7-1")
    second.settings["QDRANT_BOOTSTRAP"] = first.uri
    second.start()
    assert second.program.exit_status() == 1
    peer_id = json.loads((second.storage / "raft_state.json").read_text())["this_peer_id"]
    first.start_and_wait()
    second.start_and_wait()
    assert second.cluster()["peer_id"] == peer_id
    eventually(lambda: len(peers_of(first)) == len(peers_of(second)) == 2)


def test_a_bootstrap_peer_that_says_nothing_is_given_up_on(new_node: NodeFactory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        node = new_node("m7-1", QDRANT__CLUSTER__CONSENSUS__BOOTSTRAP_TIMEOUT_SEC="1")
        node.start(QDRANT_BOOTSTRAP=f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert node.program.exit_status() == 1


def test_a_member_ignores_what_it_is_told_about_bootstrapping(cluster: list[QdrantNode]) -> None:
    second, before = cluster[1], peers_of(cluster[0])
    eventually(lambda: peers_of(second) == before)
    second.program.stop()
    second.start_and_wait(QDRANT_BOOTSTRAP="http://127.0.0.1:9")
    assert peers_of(second) == before
    second.program.stop()
    second.settings.pop("QDRANT_BOOTSTRAP")
    second.settings.pop("QDRANT_URI")
    second.start_and_wait()
    assert peers_of(second) == before


def test_a_member_announces_a_changed_uri(cluster: list[QdrantNode]) -> None:
    moved = cluster[2]
    peer_id = str(moved.cluster()["peer_id"])
    moved.program.stop()
    moved.p2p_port = free_port()
    moved.start_and_wait(QDRANT_URI=moved.uri)
    eventually(
        lambda: all(node.cluster()["peers"][peer_id]["uri"] == moved.uri for node in cluster)
    )


def test_an_emptied_first_node_begins_a_cluster_of_its_own(cluster: list[QdrantNode]) -> None:
    first, *others = cluster
    first.result("PUT", "/collections/documents", COLLECTION | {"replication_factor": 2})
    points = [{"id": i, "vector": [1]} for i in range(20)]
    first.result("PUT", "/collections/documents/points", {"points": points})
    lost = str(first.cluster()["peer_id"])
    first.program.stop()
    shutil.rmtree(first.storage)
    first.start_and_wait()

    def is_told_apart() -> bool:
        leaders = [n for n in others if n.cluster()["raft_info"]["role"] == "Leader"]
        failures = leaders[0].cluster()["message_send_failures"] if leaders else {}
        return first.uri in failures and "is not here" in failures[first.uri]["latest_error"]

    # The others go on talking to the peer that was at its address.
    eventually(is_told_apart)
    assert peers_of(first) == {str(first.cluster()["peer_id"])}
    assert lost not in peers_of(first)
    assert first.result("GET", "/collections") == {"collections": []}
    assert all(lost in peers_of(node) for node in others)
    assert [node.count("documents") for node in others] == [20, 20]


def test_an_emptied_node_that_bootstraps_joins_as_a_new_peer(cluster: list[QdrantNode]) -> None:
    emptied = cluster[1]
    lost = str(emptied.cluster()["peer_id"])
    emptied.program.stop()
    shutil.rmtree(emptied.storage)
    emptied.start_and_wait()
    assert lost in peers_of(emptied)
    assert len(peers_of(emptied)) == 4


def test_an_empty_bootstrap_is_bad_usage(new_node: NodeFactory) -> None:
    node = new_node("k6")
    node.start(QDRANT_BOOTSTRAP="")
    assert node.program.exit_status() == 2
    assert "QDRANT_BOOTSTRAP" in node.program.log()
