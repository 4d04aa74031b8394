from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from tests.standin_cluster import COLLECTION, StandinCluster, StandinNode, standin_cluster

from . import shapes
from .processes import CLIENT, eventually


class Checked:
    """Asks a node and checks the shape of each answer; remembers which operations were tried."""

    def __init__(self) -> None:
        self.tried: set[tuple[str, int]] = set()

    def __call__(
        self, node: StandinNode, method: str, path: str, body: object = None, *, status: int = 200
    ) -> Any:
        return self.check(node.send(method, path, body), status)

    def check(self, response: httpx.Response, status: int) -> Any:
        assert response.status_code == status, response.text
        request = response.request
        answer = response.json()
        key = shapes.check(request.method, request.url.raw_path.decode(), status, answer)
        self.tried.add((key, status))
        return answer.get("result")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandinCluster]:
    directory: Path = tmp_path_factory.mktemp("shapes")
    with standin_cluster(directory) as made:
        yield made


def look_from_everywhere(ask: Checked, cluster: StandinCluster) -> None:
    for node in cluster.running:
        ask(node, "GET", "/cluster")
        ask(node, "GET", "/aliases")
        for collection in ask(node, "GET", "/collections")["collections"]:
            for path in ("", "/cluster", "/aliases", "/exists", "/snapshots"):
                ask(node, "GET", f"/collections/{collection['name']}{path}")


def write_and_read_points(ask: Checked, node: StandinNode) -> None:
    uuid = "0b9f2c1e-6f57-4b0a-9a57-0b9f2c1e6f57"
    points = [{"id": i, "vector": [1, 2], "payload": {"n": 1}} for i in (1, 2, 3, uuid)]
    ask(node, "PUT", "/collections/a/points?wait=true", {"points": points})
    ask(node, "PUT", "/collections/a/points", {"points": [{"id": 9, "vector": [1]}]}, status=400)
    ask(node, "POST", "/collections/a/points", {"ids": [1, uuid], "with_vector": True})
    ask(node, "GET", f"/collections/a/points/{uuid}")
    ask(node, "GET", "/collections/a/points/404", status=404)
    ask(node, "POST", "/collections/a/points/delete", {"points": [2]})
    ask(node, "POST", "/collections/a/points/count", {})
    ask(node, "POST", "/collections/a/points/scroll", {"limit": 1})
    ask(node, "POST", "/collections/missing/points/scroll", {}, status=404)


def change_the_cluster(ask: Checked, cluster: StandinCluster) -> None:
    node, other = cluster.nodes[:2]
    shard = ask(node, "GET", "/collections/a/cluster")["remote_shards"][0]
    holders = [p for p in ask(node, "GET", "/cluster")["peers"] if int(p) != shard["peer_id"]]
    transfer = {"shard_id": shard["shard_id"], "from_peer_id": shard["peer_id"]}
    path = "/collections/a/cluster"
    lacking = next(n for n in cluster.nodes if holds_not(n, shard["shard_id"]))
    assert str(lacking.peer_id) in holders
    lacking.set_faults(recovery_seconds=60)
    transfer["to_peer_id"] = lacking.peer_id
    ask(node, "POST", path, {"replicate_shard": transfer})
    look_from_everywhere(ask, cluster)
    ask(other, "POST", path, {"replicate_shard": transfer}, status=400)
    lacking.set_faults()
    cluster.settle()
    ask(other, "POST", path, {"abort_transfer": transfer}, status=404)
    dropped = {"shard_id": shard["shard_id"], "peer_id": lacking.peer_id}
    ask(node, "POST", path, {"drop_replica": dropped})
    ask(node, "POST", "/cluster/recover")
    ask(node, "DELETE", f"/cluster/peer/{other.peer_id}", status=400)


def holds_not(node: StandinNode, shard: int) -> bool:
    view = node.result("GET", "/collections/a/cluster")
    return all(local["shard_id"] != shard for local in view["local_shards"])


def take_and_restore_snapshots(ask: Checked, node: StandinNode) -> None:
    root = "/collections/a/snapshots"
    snapshot = ask(node, "POST", root)
    ask(node, "GET", root)
    file = node.get(f"{root}/{snapshot['name']}").content
    assert len(file) == snapshot["size"]
    url = f"{node.url}{root}/upload?priority=snapshot"
    uploaded = CLIENT.post(url, files={"snapshot": ("mine.snapshot", file)})
    ask.check(uploaded, 200)
    wrong = CLIENT.post(f"{url}&checksum={'0' * 64}", files={"snapshot": ("x", file)})
    ask.check(wrong, 400)
    location = (node.snapshots / "a" / snapshot["name"]).as_uri()
    ask(node, "PUT", f"{root}/recover", {"location": location, "priority": "snapshot"})
    ask(node, "PUT", f"{root}/recover", {"location": "file:///etc/passwd"}, status=403)
    ask(node, "POST", f"{root}?wait=false", status=202)
    ask(node, "GET", "/telemetry?details_level=2")
    ask(node, "DELETE", f"{root}/{snapshot['name']}")
    ask(node, "GET", "/collections/missing/snapshots", status=404)


def stop_consensus_and_a_node(ask: Checked, cluster: StandinCluster) -> None:
    follower, *others = cluster.followers()
    follower.set_faults(consensus_stopped="storage is full")
    status = ask(follower, "GET", "/cluster")["consensus_thread_status"]
    assert status["consensus_thread_status"] == "stopped_with_err"
    eventually(lambda: ask(cluster.leader(), "GET", "/cluster")["message_send_failures"])
    follower.set_faults()
    eventually(cluster.is_settled)
    others[0].stop()
    for i in range(12):
        points = {"points": [{"id": 100 + i, "vector": [1, 2]}]}
        ask(follower, "PUT", "/collections/a/points?wait=true", points)
    look_from_everywhere(ask, cluster)
    ask(follower, "DELETE", f"/cluster/peer/{others[0].peer_id}?force=true")


def test_every_answer_has_the_shape_of_the_openapi_document(cluster: StandinCluster) -> None:
    ask, node = Checked(), cluster.nodes[0]
    alone = {"create_alias": {"collection_name": "a", "alias_name": "b"}}
    ask(node, "PUT", "/collections/a", COLLECTION)
    ask(node, "PUT", "/collections/a", COLLECTION, status=409)
    ask(node, "POST", "/collections/aliases", {"actions": [alone]})
    ask(node, "PATCH", "/collections/a", {"params": {"write_consistency_factor": 2}})
    ask(node, "PATCH", "/collections/a", {"params": {"write_consistency_factor": 1}})
    ask(node, "PATCH", "/collections/missing", {"params": {}}, status=404)
    write_and_read_points(ask, cluster.nodes[1])
    look_from_everywhere(ask, cluster)
    change_the_cluster(ask, cluster)
    take_and_restore_snapshots(ask, cluster.nodes[2])
    cluster.settle()
    stop_consensus_and_a_node(ask, cluster)
    ask(node, "DELETE", "/collections/a")
    jsonschema.validate(node.get("/").json(), shapes.VERSION)
    assert {key for key, status in ask.tried if status == 200} == set(shapes.RESULTS)
    assert len([1 for _, status in ask.tried if status != 200]) > 10


def test_a_field_that_the_document_does_not_list_is_noticed() -> None:
    answer = {"time": 0.1, "status": "ok", "result": {"exists": True, "since": 1}}
    with pytest.raises(jsonschema.ValidationError):
        shapes.check("GET", "/collections/a/exists", 200, answer)
