"""Collections that are broken come back, and what does not come back whole is no success."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qdrant_driver import restore
from qdrant_driver.api import Api, QdrantError, Unreachable
from qdrant_driver.backups import Backups
from tests.standin_cluster import StandinCluster, StandinNode, standin_cluster

from .places import members_of
from .test_qdrant import back_up, points_of, said

DOCUMENTS = "/collections/documents"
BROKEN = {DOCUMENTS: "shard 0 cannot be read", f"{DOCUMENTS}/points/count": "no replica"}


@pytest.fixture(params=["1.18.3"])
def cluster(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[StandinCluster]:
    with standin_cluster(tmp_path, version=request.param) as made:
        made.create_collection("documents")
        made.upsert("documents", range(60))
        yield made


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore, "_STUCK_AFTER", 3.0)
    monkeypatch.setattr(restore, "_AGREED_WITHIN", 1.0)


def break_all(cluster: StandinCluster, **faults: Any) -> None:
    for node in cluster.nodes:
        node.set_faults(**faults)


def mended_on(cluster: StandinCluster, words: str) -> Callable[[str], None]:
    """Takes all faults back when something is said."""

    def say(text: str) -> None:
        if words in text:
            break_all(cluster)

    return say


def test_a_broken_collection_is_brought_back(cluster: StandinCluster, tmp_path: Path) -> None:
    before = points_of(cluster.nodes[0])
    _, stored = back_up(cluster, tmp_path / "nas")
    cluster.upsert("documents", range(60, 70))
    break_all(cluster, refusals=BROKEN)
    driver = Backups(members_of(cluster), hold=1)
    assert driver.obstacles(stored) == []
    [planned] = driver.replacements(stored)
    assert planned.now == f"broken: k6: GET {DOCUMENTS}: shard 0 cannot be read"
    done = driver.restore(stored, planned, mended_on(cluster, "waits until all replicas"))
    assert done == "60 points"
    assert [points_of(node) for node in cluster.nodes] == [before] * 3


def test_a_collection_that_cannot_be_counted_can_be_replaced(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    _, stored = back_up(cluster, tmp_path / "nas")
    break_all(cluster, refusals={f"{DOCUMENTS}/points/count": "no replica answers"})
    [planned] = Backups(members_of(cluster)).replacements(stored)
    assert planned.now.startswith("points that cannot be counted: k6: ")
    assert planned.now.endswith("no replica answers")


def test_one_node_that_can_tell_of_a_collection_is_enough(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    _, stored = back_up(cluster, tmp_path / "nas")
    cluster["k6"].set_faults(refusals={DOCUMENTS: "shard 0 cannot be read"})
    [planned] = Backups(members_of(cluster)).replacements(stored)
    assert planned.now == "60 points"


def test_of_two_that_are_broken_the_first_does_not_wait_for_the_second(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    cluster.create_collection("notes")
    _, stored = back_up(cluster, tmp_path / "nas")
    seen = cluster["k6"].result("GET", "/collections/notes/cluster")["local_shards"]
    dead = {"local_shards": [{**each, "state": "Dead"} for each in seen]}
    cluster["k6"].set_faults(answers={"/collections/notes/cluster": dead})
    driver = Backups(members_of(cluster), hold=1)
    assert any("(notes)" in each for each in said(cluster, stored, "documents"))
    assert driver.obstacles(stored) == []
    documents, notes = driver.replacements(stored)
    assert driver.restore(stored, documents, lambda _: None) == "60 points"
    assert driver.restore(stored, notes, mended_on(cluster, "takes notes")) == "0 points"


def taking(
    monkeypatch: pytest.MonkeyPatch, *, sends: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Let uploads end without an answer; how they were asked for, and what was removed."""
    asked, removed = [], []

    def upload(
        api: Api, _: str, __: str, chunks: Iterable[bytes], ___: int, timeout: float, **params: Any
    ) -> None:
        asked.append({"timeout": timeout, **params})
        if sends:
            assert b"".join(chunks)
        raise Unreachable(f"{api.device}: POST: no answer in time")

    monkeypatch.setattr(Api, "upload", upload)
    monkeypatch.setattr(Api, "delete", lambda _, path, *__, **___: removed.append(path))
    return asked, removed


def test_an_answer_that_never_comes_is_no_failure_of_what_was_sent(
    cluster: StandinCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, stored = back_up(cluster, tmp_path / "nas")
    asked, removed = taking(monkeypatch, sends=True)
    driver = Backups(members_of(cluster), hold=1)
    [planned] = driver.replacements(stored)
    told: list[str] = []
    with pytest.raises(QdrantError, match="may still be taking documents in") as raised:
        driver.restore(stored, planned, told.append)
    assert removed == []
    assert "then restore documents again; restore-" in str(raised.value.hint)
    assert asked[0]["timeout"] > 3600
    assert asked[0]["wait"] is True
    assert told[-1].endswith("has all of it, and takes it in")


def test_what_was_not_sent_is_removed(
    cluster: StandinCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, stored = back_up(cluster, tmp_path / "nas")
    _, removed = taking(monkeypatch, sends=False)
    driver = Backups(members_of(cluster), hold=1)
    [planned] = driver.replacements(stored)
    with pytest.raises(Unreachable, match=r"no answer in time$"):
        driver.restore(stored, planned, lambda _: None)
    assert len(removed) == 1


def test_nodes_that_count_differently_are_no_success(
    cluster: StandinCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, stored = back_up(cluster, tmp_path / "nas")
    driver = Backups(members_of(cluster), hold=1)
    [planned] = driver.replacements(stored)
    counts = {"k6": 60, "m7-1": 58, "m7-2": 60}
    monkeypatch.setattr(restore, "count", lambda _nodes, _name, device: counts[device])
    with pytest.raises(QdrantError, match=r"documents is back; .*: k6 60, m7-1 58, m7-2 60$"):
        driver.restore(stored, planned, lambda _: None)


def has_all_shards(node: StandinNode, helper: StandinNode) -> None:
    """Have a node take the shards that it has not from another."""
    view = helper.result("GET", f"{DOCUMENTS}/cluster")
    local = {
        each["shard_id"] for each in node.result("GET", f"{DOCUMENTS}/cluster")["local_shards"]
    }
    for shard in {each["shard_id"] for each in view["local_shards"]} - local:
        wanted = {"shard_id": shard, "from_peer_id": helper.peer_id, "to_peer_id": node.peer_id}
        helper.result("POST", f"{DOCUMENTS}/cluster", {"replicate_shard": wanted})


@pytest.mark.parametrize(
    ("cluster", "hint"),
    [
        ("1.17.0", "Qdrant does so before 1.17.1: upgrade it, delete documents, and restore it"),
        ("1.18.3", "that node's log says why"),
    ],
    indirect=["cluster"],
)
def test_a_replica_that_nothing_repairs_ends_the_wait(
    cluster: StandinCluster, tmp_path: Path, hint: str
) -> None:
    _, stored = back_up(cluster, tmp_path / "nas")
    driver = Backups(members_of(cluster), hold=1)
    [planned] = driver.replacements(stored)
    taker = cluster[planned.pieces[0].device]
    for helper in cluster.nodes:
        if helper is not taker:
            has_all_shards(taker, helper)
            cluster.settle()
    taker.set_faults(recovery_forgets=True)
    with pytest.raises(QdrantError) as raised:
        driver.restore(stored, planned, lambda _: None)
    words = rf"documents: shard \d on {taker.name} stays ManualRecovery, and nothing repairs it"
    assert raised.match(words)
    assert str(raised.value.hint).startswith(hint)


def test_a_node_that_nobody_named_is_refused_and_not_to_be_deleted(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    _, stored = back_up(cluster, tmp_path / "nas")
    *named, _ = members_of(cluster)
    found = [each for each in Backups(named).obstacles(stored) if "peer" in each.what]
    stranger = cluster.nodes[-1]
    assert {each.device for each in found} == {"k6", "m7-1"}
    assert all(f"a peer {stranger.peer_id} at {stranger.uri}" in each.what for each in found)
    assert all("would lose what only that node has" in (each.hint or "") for each in found)
