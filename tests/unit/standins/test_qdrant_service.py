from __future__ import annotations

import signal
import socket

import pytest

from .conftest import NodeFactory
from .processes import QdrantNode, eventually, free_port

COLLECTION = {"vectors": {"size": 2, "distance": "Dot"}}
KEYS = {
    "QDRANT__SERVICE__API_KEY": "full",
    "QDRANT__SERVICE__READ_ONLY_API_KEY": "read",
}


@pytest.fixture
def node(new_node: NodeFactory) -> QdrantNode:
    """A node that runs alone, without keys."""
    alone = new_node("k6", member=False)
    alone.start_and_wait()
    return alone


def store(node: QdrantNode, *ids: int | str) -> None:
    points = [{"id": i, "vector": [1, 2]} for i in ids]
    node.result("PUT", "/collections/documents/points", {"points": points})


def test_it_says_what_it_is(node: QdrantNode) -> None:
    response = node.get("/")
    assert response.json() == {"title": "qdrant - vector search engine", "version": "1.19.0"}
    assert "stand-in" in response.headers["server"]
    assert all("[qdrant stand-in]" in line for line in node.program.log().splitlines())


def test_the_version_is_the_number_of_the_image_tag(new_node: NodeFactory) -> None:
    node = new_node("k6", member=False)
    node.start_and_wait(PAISCTL_STANDIN_VERSION="v1.18.3-unprivileged")
    assert node.get("/").json()["version"] == "1.18.3"
    assert 'app_info{name="qdrant",version="1.18.3"} 1' in node.get("/metrics").text


def test_keys_are_asked_for_where_qdrant_asks(new_node: NodeFactory) -> None:
    node = new_node("k6", **KEYS)
    node.start_and_wait()
    for path in ("/", "/healthz", "/readyz", "/livez"):
        assert node.get(path).status_code == 200
    for path in ("/metrics", "/cluster", "/collections", "/nowhere"):
        assert node.get(path).status_code == 401
        assert node.get(path, api_key="wrong").status_code == 401
    for key in ("full", "read"):
        assert node.get("/cluster", api_key=key).status_code == 200
        assert node.get("/metrics", authorization=f"Bearer {key}").status_code == 200
    assert node.get("/health", api_key="full").status_code == 404


def test_the_read_only_key_changes_nothing(new_node: NodeFactory) -> None:
    node = new_node("k6", member=False, **KEYS)
    node.start_and_wait()
    path = "/collections/documents"
    assert node.send("PUT", path, COLLECTION, api_key="read").status_code == 403
    assert node.send("PUT", path, COLLECTION, api_key="full").status_code == 200
    points = {"points": [{"id": 1, "vector": [1, 2]}]}
    assert node.send("PUT", f"{path}/points", points, api_key="read").status_code == 403
    assert node.send("POST", f"{path}/points/count", {}, api_key="read").status_code == 200
    assert node.send("DELETE", path, api_key="read").status_code == 403


def test_metrics_have_a_port_without_a_key(new_node: NodeFactory) -> None:
    node, port = new_node("k6", **KEYS), free_port()
    node.start_and_wait(QDRANT__SERVICE__METRICS_PORT=str(port))
    node.http_port = port
    assert "cluster_peers_total 1" in node.get("/metrics").text
    assert node.get("/cluster").status_code == 404


def test_metrics_are_those_of_a_member(cluster: list[QdrantNode]) -> None:
    member = cluster[1]
    member.result("PUT", "/collections/documents", COLLECTION | {"replication_factor": 2})
    member.count("documents")
    eventually(lambda: "cluster_voter 1" in member.get("/metrics").text)
    text = member.get("/metrics").text
    peer = member.cluster()["peer_id"]
    for line in (
        "cluster_enabled 1",
        "cluster_peers_total 3",
        'cluster_working_state{state="working"} 1',
        f'cluster_commit{{peer_id="{peer}"}} ',
        "collection_active_replicas_min 2",
        "collection_dead_replicas 0",
        'collection_points{id="documents"} 0',
        'rest_responses_total{method="POST",endpoint="/collections/{collection_name}/points/count"',
        'rest_responses_duration_seconds_bucket{method="POST"',
    ):
        assert line in text


def test_defaults_of_a_new_collection_come_from_the_settings(new_node: NodeFactory) -> None:
    node = new_node("k6", member=False)
    node.start_and_wait(
        QDRANT__STORAGE__COLLECTION__REPLICATION_FACTOR="2",
        QDRANT__STORAGE__COLLECTION__WRITE_CONSISTENCY_FACTOR="1",
    )
    node.result("PUT", "/collections/documents", COLLECTION)
    parameters = node.result("GET", "/collections/documents")["config"]["params"]
    assert parameters["replication_factor"] == 2
    assert parameters["write_consistency_factor"] == 1
    assert parameters["shard_number"] == 1


def test_what_does_not_fit_is_refused_in_the_shape_of_qdrant(node: QdrantNode) -> None:
    node.result("PUT", "/collections/documents", COLLECTION)
    points = "/collections/documents/points"
    for method, path, body, status, error in (
        ("PUT", points, {"points": [{"id": 1, "vector": [1]}]}, 400, "expected dim: 2, got 1"),
        ("PUT", points, {"points": [{"id": "x", "vector": [1, 2]}]}, 400, "valid point ID"),
        ("POST", f"{points}/count", {"filter": {"must": []}}, 400, "does not filter"),
        ("GET", "/collections/other", None, 404, "Collection `other` doesn't exist!"),
        ("PUT", "/collections/%2e%2e", COLLECTION, 422, "collection_name"),
        ("PUT", "/collections/x", {"vectors": {"size": 0, "distance": "Dot"}}, 400, "size"),
    ):
        response = node.send(method, path, body)
        assert response.status_code == status
        assert error in response.json()["status"]["error"]
        assert "result" not in response.json()


def test_points_survive_a_kill(node: QdrantNode) -> None:
    uuid = "0b9f2c1e-6f57-4b0a-9a57-0b9f2c1e6f57"
    node.result("PUT", "/collections/documents", COLLECTION)
    store(node, 7, 3, uuid)
    store(node, 3)
    node.program.stop(signal.SIGKILL)
    node.start_and_wait()
    found = node.result("POST", "/collections/documents/points/scroll", {"with_vector": True})
    assert [point["id"] for point in found["points"]] == [3, 7, uuid]
    assert found["points"][0] == {"id": 3, "payload": {}, "vector": [1, 2]}
    assert found["next_page_offset"] is None


def test_a_line_cut_short_by_a_crash_is_left_out(node: QdrantNode) -> None:
    node.result("PUT", "/collections/documents", COLLECTION)
    store(node, 1, 2)
    node.program.stop()
    with (node.storage / "collections/documents/0/points.jsonl").open("a") as log:
        log.write('{"id": 3, "vec')
    node.start_and_wait()
    store(node, 4)
    node.program.stop()
    node.start_and_wait()
    assert node.count("documents") == 3


def test_a_collection_made_anew_is_empty(node: QdrantNode) -> None:
    node.result("PUT", "/collections/documents", COLLECTION)
    store(node, 1)
    node.result("DELETE", "/collections/documents")
    assert node.result("GET", "/collections/documents/exists") == {"exists": False}
    node.result("PUT", "/collections/documents", COLLECTION)
    assert node.count("documents") == 0


def test_storage_of_a_newer_version_is_refused_and_left_as_it_is(node: QdrantNode) -> None:
    node.result("PUT", "/collections/documents", COLLECTION)
    store(node, 1)
    node.program.stop()
    node.start(PAISCTL_STANDIN_VERSION="1.18.3")
    assert node.program.exit_status() == 101
    assert "Data version 1.19.0 is newer than application version 1.18.3" in node.program.log()
    node.start_and_wait(PAISCTL_STANDIN_VERSION="1.20.0")
    assert node.count("documents") == 1


def test_it_stops_cleanly(node: QdrantNode) -> None:
    assert (node.directory / ".qdrant-initialized").exists()
    assert node.program.stop() == 0
    assert "Traceback" not in node.program.log()


def test_the_grpc_port_accepts_connections(node: QdrantNode) -> None:
    with socket.create_connection(("127.0.0.1", node.grpc_port), timeout=5) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\n")
