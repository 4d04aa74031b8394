from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.standin_cluster import StandinCluster, StandinNode, standin_cluster

from .processes import CLIENT, eventually

ROOT = "/collections/documents/snapshots"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[StandinCluster]:
    with standin_cluster(tmp_path, version="1.18.3") as made:
        made.create_collection("documents")
        made.upsert("documents", range(60))
        yield made


def snapshots_of(cluster: StandinCluster) -> list[bytes]:
    """A snapshot of each node, verified."""
    files = []
    for node in cluster.nodes:
        description = node.result("POST", ROOT)
        assert node.result("GET", ROOT) == [description]
        response = node.get(f"{ROOT}/{description['name']}")
        assert int(response.headers["content-length"]) == description["size"]
        assert hashlib.sha256(response.content).hexdigest() == description["checksum"]
        files.append(response.content)
    return files


def upload(node: StandinNode, content: bytes, **query: str) -> httpx.Response:
    url = f"{node.url}{ROOT}/upload"
    return CLIENT.post(url, params=query, files={"snapshot": ("saved.snapshot", content)})


def ids_in(node: StandinNode) -> list[int]:
    path = "/collections/documents/points/scroll"
    return [point["id"] for point in node.result("POST", path, {"limit": 1000})["points"]]


def replicas_of(node: StandinNode) -> set[tuple[int, int]]:
    view: dict[str, Any] = node.result("GET", "/collections/documents/cluster")
    local = {(shard["shard_id"], view["peer_id"]) for shard in view["local_shards"]}
    return local | {(shard["shard_id"], shard["peer_id"]) for shard in view["remote_shards"]}


def test_a_deleted_collection_comes_back_from_the_snapshots_of_all_nodes(
    cluster: StandinCluster,
) -> None:
    files = snapshots_of(cluster)
    cluster.nodes[0].result("DELETE", "/collections/documents")
    for node, file in zip(cluster.nodes, files, strict=True):
        assert upload(node, file, priority="snapshot").json()["result"] is True
        cluster.settle()
    assert [ids_in(node) for node in cluster.nodes] == [list(range(60))] * 3
    counted = {n.count("documents") for n in cluster.nodes}
    assert counted == {60}
    assert len(replicas_of(cluster.nodes[0])) == 6


def test_what_was_written_after_a_snapshot_is_gone_after_its_restore(
    cluster: StandinCluster,
) -> None:
    files = snapshots_of(cluster)
    cluster.upsert("documents", range(40, 90))
    for node, file in zip(cluster.nodes, files, strict=True):
        upload(node, file, priority="snapshot")
        cluster.settle()
    assert [ids_in(node) for node in cluster.nodes] == [list(range(60))] * 3
    cluster.upsert("documents", range(60, 70))
    assert [ids_in(node) for node in cluster.nodes] == [list(range(70))] * 3


def test_restored_shards_become_local_and_surplus_replicas_go(cluster: StandinCluster) -> None:
    first, second, _ = cluster.nodes
    file, elsewhere = snapshots_of(cluster)[0], replicas_of(second)
    shards = {shard for shard, peer in elsewhere if peer == first.peer_id}
    assert {shard for shard, peer in elsewhere if peer == second.peer_id} != shards
    upload(second, file, priority="snapshot")
    cluster.settle()
    now = replicas_of(second)
    assert shards <= {shard for shard, peer in now if peer == second.peer_id}
    assert [len([s for s, _ in now if s == shard]) for shard in range(3)] == [2, 2, 2]
    assert [ids_in(node) for node in cluster.nodes] == [list(range(60))] * 3


def test_by_default_the_other_replicas_are_right_and_a_new_collection_stays_empty(
    cluster: StandinCluster,
) -> None:
    files = snapshots_of(cluster)
    cluster.upsert("documents", range(60, 90))
    upload(cluster.nodes[0], files[0])
    cluster.settle()
    assert ids_in(cluster.nodes[0]) == list(range(90))
    cluster.nodes[0].result("DELETE", "/collections/documents")
    upload(cluster.nodes[0], files[0])
    cluster.settle()
    assert [node.count("documents") for node in cluster.nodes] == [0, 0, 0]


def test_a_snapshot_on_the_node_is_recovered_without_an_upload(cluster: StandinCluster) -> None:
    node = cluster.nodes[0]
    description = node.result("POST", ROOT)
    file = node.snapshots / "documents" / description["name"]
    cluster.upsert("documents", range(60, 90))
    body = {"location": file.as_uri(), "priority": "snapshot", "checksum": "0" * 64}
    refused = node.send("PUT", f"{ROOT}/recover", body)
    assert refused.status_code == 400
    assert "checksum mismatch" in refused.json()["status"]["error"]
    assert node.count("documents") == 90
    body["checksum"] = description["checksum"]
    assert node.result("PUT", f"{ROOT}/recover", body) is True
    cluster.settle()
    held = {shard for shard, peer in replicas_of(node) if peer == node.peer_id}
    assert len(held) == 2
    assert 60 <= node.count("documents") < 90


def test_what_does_not_fit_is_refused_and_changes_nothing(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    node = cluster.nodes[0]
    file = snapshots_of(cluster)[0]
    for content, query, status, error in (
        (file, {"checksum": "0" * 64}, 400, "Checksum mismatch"),
        (file, {"priority": "mine"}, 400, "unknown variant"),
        (b"no archive", {}, 500, "failed to unpack"),
    ):
        response = upload(node, content, **query)
        assert response.status_code == status
        assert error in response.json()["status"]["error"]
    node.result("DELETE", "/collections/documents")
    for changed in ({"vectors": {"size": 3, "distance": "Dot"}}, {"shard_number": 1}):
        cluster.create_collection("documents", **changed)
        response = upload(node, file)
        assert response.status_code == 400
        assert "Snapshot is not compatible" in response.json()["status"]["error"]
        node.result("DELETE", "/collections/documents")
    with standin_cluster(tmp_path / "older", size=1, version="1.17.1") as older:
        response = upload(older.nodes[0], file)
        assert response.status_code == 500
        assert "Data version 1.18.3 is newer than application version 1.17.1" in response.text
        assert older.nodes[0].result("GET", "/collections") == {"collections": []}
    with standin_cluster(tmp_path / "newer", size=1, version="1.19.0") as newer:
        assert upload(newer.nodes[0], file, priority="snapshot").status_code == 200
        assert newer.nodes[0].count("documents") > 0


def test_snapshots_are_kept_in_their_volume_until_they_are_deleted(
    cluster: StandinCluster,
) -> None:
    node = cluster.nodes[0]
    accepted = node.send("POST", f"{ROOT}?wait=false")
    assert accepted.status_code == 202
    [description] = eventually(lambda: node.result("GET", ROOT))
    node.restart()
    assert node.result("GET", ROOT) == [description]
    assert node.result("DELETE", f"{ROOT}/{description['name']}") is True
    assert node.result("GET", ROOT) == []
    assert node.get(f"{ROOT}/{description['name']}").status_code == 404
    assert list((node.snapshots / "documents").iterdir()) == []
    assert node.get(f"{ROOT}/..%2f..%2fstorage%2fraft_state.json").status_code == 404


def test_an_upload_in_chunks_is_read(cluster: StandinCluster) -> None:
    node, file = cluster.nodes[0], snapshots_of(cluster)[0]
    head = b'--x\r\nContent-Disposition: form-data; name="snapshot"; filename="a"\r\n\r\n'
    parts = [head, *(file[i : i + 4096] for i in range(0, len(file), 4096)), b"\r\n--x--\r\n"]
    url = f"{node.url}{ROOT}/upload?priority=no_sync"
    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = CLIENT.post(url, content=iter(parts), headers=headers)
    assert response.json()["result"] is True


def test_a_snapshot_has_files_with_holes_as_qdrants_has(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    file = tmp_path / "a.snapshot"
    file.write_bytes(snapshots_of(cluster)[0])
    assert file.stat().st_size < 1 << 20
    with tarfile.open(file) as archive:
        logs = [member for member in archive if member.issparse()]
        content = archive.extractfile(logs[0])
        assert len(logs) == 2
        assert content is not None
        assert content.read().rstrip(b"\0") == b"wal"
    listed = subprocess.run(["tar", "-tvf", str(file)], capture_output=True, text=True, check=True)
    assert listed.stdout.count(" 33554432 ") == 2
    busybox = ["busybox", "tar", "-tf", str(file)]
    refused = subprocess.run(busybox, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "unknown typeflag: 0x53" in refused.stderr


def test_before_1_17_1_a_recovery_leaves_replicas_that_are_not_in_the_snapshot(
    cluster: StandinCluster,
) -> None:
    first, second, _ = cluster.nodes
    file, before = snapshots_of(cluster)[0], replicas_of(second)
    left = {s for s, p in before if p == second.peer_id} - {
        s for s, p in before if p == first.peer_id
    }
    second.set_faults(recovery_forgets=True)
    upload(second, file, priority="snapshot")
    view = second.result("GET", "/collections/documents/cluster")
    states = {shard["shard_id"]: shard["state"] for shard in view["local_shards"]}
    assert {shard for shard, state in states.items() if state == "ManualRecovery"} == left
    assert len(left) == 1


def test_a_refusal_is_the_answer_until_it_is_taken_back(cluster: StandinCluster) -> None:
    node, path = cluster.nodes[0], "/collections/documents/points/count"
    node.set_faults(refusals={path: "shard 0 cannot be read"})
    refused = node.send("POST", path, {"exact": True})
    assert refused.status_code == 500
    assert refused.json()["status"] == {"error": "shard 0 cannot be read"}
    node.set_faults()
    assert node.count("documents") == 60


def test_a_rebuilt_node_gets_its_shards_from_its_peers(cluster: StandinCluster) -> None:
    lost, helper = cluster.followers()[0], cluster.leader()
    peer = lost.peer_id
    shards = sorted(shard for shard, holder in replicas_of(helper) if holder == peer)
    lost.kill()
    shutil.rmtree(lost.storage)
    assert helper.send("DELETE", f"/cluster/peer/{peer}").status_code == 400
    assert helper.result("DELETE", f"/cluster/peer/{peer}?force=true") is True
    lost.settings["QDRANT_BOOTSTRAP"] = helper.uri
    lost.start_and_wait()
    assert lost.peer_id != peer
    for shard in shards:
        source = next(p for s, p in replicas_of(helper) if s == shard)
        wanted = {"shard_id": shard, "from_peer_id": source, "to_peer_id": lost.peer_id}
        body = {"replicate_shard": {**wanted, "method": "snapshot"}}
        helper.result("POST", "/collections/documents/cluster", body)
    cluster.settle()
    assert len(replicas_of(lost)) == 6
    assert len(lost.cluster()["peers"]) == 3
    view = lost.result("GET", "/collections/documents/cluster")
    assert sum(shard["points_count"] for shard in view["local_shards"]) > 0
    assert ids_in(lost) == list(range(60))
