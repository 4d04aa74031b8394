"""Qdrant's data away and back again: a cluster of stand-ins, a store on this machine."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from paisctl.backup.definition import Definition
from paisctl.backup.make import Making
from paisctl.backup.manifest import Backup
from paisctl.backup.store import Store, Written
from paisctl.backup.stored import StoredBackup
from paisctl.cluster.backup_driver import Piece
from paisctl.errors import HostError
from paisctl.inventory.backups import BackupPlan
from paisctl.rendering.bundle import BundleBackup
from paisctl.transports.local import LocalTransport
from qdrant_driver.api import Api
from qdrant_driver.backups import Backups, _download, file_name
from tests.standin_cluster import StandinCluster, StandinNode, standin_cluster

from .places import Watched, instances, members_of, store_at

SETTINGS = {"stack": "qdrant", "store": {"device": "nas", "path": "/volume1/backups"}}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[StandinCluster]:
    with standin_cluster(tmp_path, version="1.18.3") as made:
        made.create_collection("documents")
        made.upsert("documents", range(60))
        yield made


def definition(cluster: StandinCluster) -> Definition:
    return Definition(
        "home",
        "knowledge",
        BackupPlan.model_validate(SETTINGS),
        BundleBackup.model_validate({"driver": "qdrant_driver"}),
        instances("qdrant", [node.name for node in cluster.nodes]),
    )


def back_up(
    cluster: StandinCluster, path: Path, away: dict[str, str] | None = None, second: int = 0
) -> tuple[Backup, StoredBackup]:
    members = [each for each in members_of(cluster) if each.device not in (away or {})]
    store = store_at(path)
    at = datetime(2026, 11, 22, 21, 30, second, tzinfo=UTC)
    making = Making(definition(cluster), Backups(members), store, away or {}, Watched(), lambda: at)
    backup = making.run()
    return backup, StoredBackup(store, backup)


def restore(cluster: StandinCluster, stored: StoredBackup, *only: str) -> list[str]:
    driver = Backups(members_of(cluster), hold=1)
    assert driver.obstacles(stored, only) == []
    return [
        driver.restore(stored, each, lambda _: None) for each in driver.replacements(stored, only)
    ]


def points_of(node: StandinNode, name: str = "documents") -> dict[int, Any]:
    body = {"limit": 1000, "with_payload": True, "with_vector": True}
    found = node.result("POST", f"/collections/{name}/points/scroll", body)["points"]
    return {point["id"]: point for point in found}


def aliases_of(node: StandinNode) -> dict[str, str]:
    found = node.result("GET", "/aliases")["aliases"]
    return {each["alias_name"]: each["collection_name"] for each in found}


def alias(node: StandinNode, **names: str) -> None:
    actions = [{"create_alias": {"alias_name": a, "collection_name": c}} for a, c in names.items()]
    node.result("POST", "/collections/aliases", {"actions": actions})


def said(cluster: StandinCluster, stored: StoredBackup, *only: str) -> list[str]:
    return [str(each) for each in Backups(members_of(cluster)).obstacles(stored, only)]


def test_each_node_gives_its_shards_and_what_is_around_them(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    backup, stored = back_up(cluster, tmp_path / "nas")
    assert backup.is_complete
    assert backup.versions == {"k6": "1.18.3", "m7-1": "1.18.3", "m7-2": "1.18.3"}
    assert {piece.path for piece in backup.pieces} == {
        f"{device}/{name}"
        for device in backup.members
        for name in ("cluster.json", "documents.snapshot")
    }
    snapshots = [piece for piece in backup.pieces if piece.kind == "tar"]
    assert sorted(shard for piece in snapshots for shard in piece.about["shards"]) == [
        *(0, 0, 1, 1, 2, 2)
    ]
    assert {piece.about["points"] for piece in snapshots} == {60}
    assert stored.verify(Backups([]), lambda *_: None).wrong == []


def test_nothing_stays_on_the_nodes(cluster: StandinCluster, tmp_path: Path) -> None:
    back_up(cluster, tmp_path / "nas")
    for node in cluster.nodes:
        assert node.result("GET", "/collections/documents/snapshots") == []


def test_a_copy_that_breaks_off_leaves_nothing_on_the_node(cluster: StandinCluster) -> None:
    with closing(Backups(members_of(cluster)).pieces("k6")) as pieces:
        next(pieces)
        assert cluster["k6"].result("GET", "/collections/documents/snapshots") != []
    assert cluster["k6"].result("GET", "/collections/documents/snapshots") == []


class FullStore(Store):
    """Has room for everything but snapshots."""

    def write(
        self, path: str, chunks: Iterable[bytes], told: Callable[[int], None] = lambda _: None
    ) -> Written:
        if path.endswith(".snapshot"):
            told(len(next(iter(chunks))))
            raise HostError(f"nas cannot write {path}: No space left on device")
        return super().write(path, chunks, told)


def test_a_store_that_is_full_leaves_nothing_on_the_nodes(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    store = FullStore(LocalTransport(), "nas", str(tmp_path / "nas"))
    driver = Backups(members_of(cluster))
    with pytest.raises(HostError, match="No space left"):
        Making(definition(cluster), driver, store, {}, Watched()).run()
    assert store.manifests() == {}
    for node in cluster.nodes:
        assert node.result("GET", "/collections/documents/snapshots") == []


def test_a_destroyed_collection_comes_back_with_its_aliases(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    alias(cluster.nodes[0], docs="documents")
    before = points_of(cluster.nodes[0])
    _, stored = back_up(cluster, tmp_path / "nas")
    cluster.nodes[1].result("DELETE", "/collections/documents")
    assert restore(cluster, stored) == ["60 points"]
    assert [points_of(node) for node in cluster.nodes] == [before] * 3
    assert aliases_of(cluster.nodes[2]) == {"docs": "documents"}
    for node in cluster.nodes:
        assert node.result("GET", "/collections/documents/snapshots") == []


def test_what_was_written_since_is_replaced(cluster: StandinCluster, tmp_path: Path) -> None:
    before = points_of(cluster.nodes[0])
    _, stored = back_up(cluster, tmp_path / "nas")
    cluster.upsert("documents", range(50, 90))
    [planned] = Backups(members_of(cluster)).replacements(stored)
    assert planned.now == "90 points"
    assert planned.then.startswith("60 points, 3 shards, from ")
    assert restore(cluster, stored) == ["60 points"]
    assert [points_of(node) for node in cluster.nodes] == [before] * 3


def test_each_shard_is_brought_back_once_or_twice_and_never_from_all(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    _, stored = back_up(cluster, tmp_path / "nas")
    [planned] = Backups(members_of(cluster)).replacements(stored)
    assert len(planned.pieces) == 2


def test_only_the_collection_that_was_asked_for_is_touched(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    cluster.create_collection("notes")
    cluster.upsert("notes", range(5))
    _, stored = back_up(cluster, tmp_path / "nas")
    cluster.upsert("documents", range(60, 70))
    cluster.upsert("notes", range(5, 9))
    assert restore(cluster, stored, "notes") == ["5 points"]
    assert len(points_of(cluster.nodes[0])) == 70
    assert len(points_of(cluster.nodes[0], "notes")) == 5


def test_two_nodes_have_all_shards(cluster: StandinCluster, tmp_path: Path) -> None:
    before = points_of(cluster.nodes[0])
    cluster["m7-2"].stop()
    backup, stored = back_up(cluster, tmp_path / "nas", {"m7-2": "it does not answer"})
    assert not backup.is_complete
    assert backup.missing == {"m7-2": "it does not answer"}
    cluster["m7-2"].start_and_wait()
    cluster.settle()
    cluster.nodes[0].result("DELETE", "/collections/documents")
    assert restore(cluster, stored) == ["60 points"]
    assert points_of(cluster["m7-2"]) == before


def test_a_node_that_dies_is_missing_and_the_others_go_on(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    cluster["m7-1"].kill()
    backup, _ = back_up(cluster, tmp_path / "nas")
    assert list(backup.missing) == ["m7-1"]
    assert "nothing answers" in backup.missing["m7-1"]
    assert {piece.device for piece in backup.pieces} == {"k6", "m7-2"}


def test_a_snapshot_that_is_not_what_the_node_says_is_refused(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    cluster["m7-1"].set_faults(wrong_checksum=True)
    backup, _ = back_up(cluster, tmp_path / "nas")
    assert "damaged" in backup.missing["m7-1"]


def test_one_node_alone_lacks_shards(cluster: StandinCluster, tmp_path: Path) -> None:
    gone = {"m7-1": "off", "m7-2": "off"}
    _, stored = back_up(cluster, tmp_path / "nas", gone)
    assert any("the backup does not have shard" in each for each in said(cluster, stored))


def test_versions_that_qdrant_would_refuse_are_refused_before(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    backup, stored = back_up(cluster, tmp_path / "nas")
    for then, refused in (("1.19.0", True), ("1.17.4", False), ("1.16.0", True)):
        old = replace(backup, versions=dict.fromkeys(backup.versions, then))
        found = said(cluster, StoredBackup(stored.store, old))
        assert any(f"are of {then}" in each for each in found) == refused


def test_a_cluster_that_is_not_whole_takes_nothing(cluster: StandinCluster, tmp_path: Path) -> None:
    _, stored = back_up(cluster, tmp_path / "nas")
    cluster["k6"].stop()
    assert any(each.startswith("k6: nothing answers") for each in said(cluster, stored))


def test_a_collection_of_other_vectors_is_not_replaced(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    _, stored = back_up(cluster, tmp_path / "nas")
    cluster.nodes[0].result("DELETE", "/collections/documents")
    cluster.create_collection("documents", vectors={"size": 3, "distance": "Dot"}, shard_number=2)
    assert said(cluster, stored) == [
        "documents: its vectors are configured otherwise than in the backup",
        "documents: it has 2 shards, 3 in the backup",
    ]


def test_a_collection_that_the_backup_does_not_have_is_named(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    _, stored = back_up(cluster, tmp_path / "nas")
    assert said(cluster, stored, "notes") == ["the backup has no collection notes"]


def test_a_node_without_room_is_not_filled_up(cluster: StandinCluster, tmp_path: Path) -> None:
    backup, stored = back_up(cluster, tmp_path / "nas")
    huge = tuple(
        replace(each, size=1 << 50) if each.kind == "tar" else each for each in backup.pieces
    )
    found = said(cluster, StoredBackup(stored.store, replace(backup, pieces=huge)))
    assert len(found) == 2  # the nodes whose snapshots are brought back
    assert all("2097152.0 are needed to bring it back" in each for each in found)
    cluster.nodes[0].result("DELETE", "/collections/documents")
    found = said(cluster, StoredBackup(stored.store, replace(backup, pieces=huge)))
    assert len(found) == 3  # what is new stays on all of them


def test_a_flipped_byte_is_found(cluster: StandinCluster, tmp_path: Path) -> None:
    backup, stored = back_up(cluster, tmp_path / "nas")
    file = tmp_path / "nas" / backup.stamp / "k6" / "documents.snapshot"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert stored.verify(Backups([]), lambda *_: None).wrong == [
        "k6/documents.snapshot is damaged: its content has changed since it was written"
    ]


def test_what_is_no_snapshot_is_found_although_it_is_as_it_was_written(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    backup, stored = back_up(cluster, tmp_path / "nas")
    [around] = [piece for piece in backup.pieces if piece.path == "k6/cluster.json"]
    odd = replace(backup, pieces=(replace(around, kind="tar"),))
    assert len(StoredBackup(stored.store, odd).verify(Backups([]), lambda *_: None).wrong) == 1


def test_nothing_at_all_is_no_backup(cluster: StandinCluster, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="nothing could be backed up"):
        back_up(cluster, tmp_path / "nas", dict.fromkeys(("k6", "m7-1", "m7-2"), "off"))
    assert list((tmp_path / "nas").iterdir()) == []


def test_a_collection_that_is_deleted_meanwhile_is_no_failure(
    cluster: StandinCluster,
) -> None:
    cluster.create_collection("brief")
    with closing(Backups(members_of(cluster)).pieces("k6")) as pieces:
        assert isinstance(first := next(pieces), Piece)
        assert first.path == "brief.snapshot"
        cluster.nodes[0].result("DELETE", "/collections/documents")
        [around] = pieces
    assert isinstance(around, Piece)
    assert list(json.loads(b"".join(around.read()))["collections"]) == ["brief"]


def test_collections_whose_names_a_mac_takes_for_one_have_two_files() -> None:
    names = ["notes", "Notes", "a/b", "A/b", "é" * 80, "é" * 80 + "x", "..", "x" * 255]
    files = [file_name(name) for name in names]
    assert len({file.lower() for file in files}) == len(names)
    assert all("/" not in file and len(file) < 200 for file in files)
    assert files[0] == "notes"


def test_a_snapshot_is_taken_as_it_is_not_as_it_is_sent() -> None:
    """Qdrant compresses what it sends to whoever takes that, snapshots too."""
    content = b"snapshot" * 1000
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["accept-encoding"])
        packed = gzip.compress(content)
        return httpx.Response(200, content=packed, headers={"content-encoding": "gzip"})

    with httpx.Client(base_url="http://k6", transport=httpx.MockTransport(answer)) as client:
        assert b"".join(_download(Api(client, "", "k6"), "/collections/a/snapshots/b")) == content
    assert asked == ["identity"]
