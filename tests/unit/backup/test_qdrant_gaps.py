"""What a backup of Qdrant lacks is said, and what fails does not hide the rest."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from paisctl.backup.stored import StoredBackup
from paisctl.cluster.backup_driver import Lost, Piece
from paisctl.errors import PaisctlError
from qdrant_driver import snapshots
from qdrant_driver.api import Api, QdrantError
from qdrant_driver.backups import Backups
from qdrant_driver.disk import Disk
from tests.standin_cluster import StandinCluster, standin_cluster

from .places import members_of
from .test_qdrant import back_up

SHARDS = "/collections/documents/cluster"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[StandinCluster]:
    with standin_cluster(tmp_path, version="1.18.3") as made:
        made.create_collection("documents")
        made.upsert("documents", range(60))
        yield made


def with_dead(cluster: StandinCluster, device: str, shard: int) -> dict[str, Any]:
    """What a node says of the collection when its replica of a shard is Dead."""
    seen = cluster[device].result("GET", SHARDS)
    states = [
        {**each, "state": "Dead" if each["shard_id"] == shard else each["state"]}
        for each in seen["local_shards"]
    ]
    return {"answers": {SHARDS: {"local_shards": states}}}


def holders(cluster: StandinCluster, shard: int) -> list[str]:
    return [
        node.name
        for node in cluster.nodes
        if shard in {each["shard_id"] for each in node.result("GET", SHARDS)["local_shards"]}
    ]


def test_a_shard_that_only_a_replica_unwell_has_is_missing(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    away, unwell = holders(cluster, 0)
    cluster[unwell].set_faults(**with_dead(cluster, unwell, 0))
    backup, stored = back_up(cluster, tmp_path / "nas", {away: "it does not answer"})
    assert not backup.is_complete
    assert backup.missing[away] == "it does not answer"
    assert backup.missing["shard 0 of documents"].startswith("no snapshot has it whole; it is on ")
    assert "(not in the backup)" in backup.missing["shard 0 of documents"]
    assert f"{unwell} (Dead)" in backup.missing["shard 0 of documents"]
    assert stored.verify(Backups([]), lambda *_: None).wrong == []  # it says so already


def test_replicas_unwell_everywhere_are_no_device_that_failed(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    for device in holders(cluster, 0):
        cluster[device].set_faults(**with_dead(cluster, device, 0))
    backup, _ = back_up(cluster, tmp_path / "nas")
    assert not backup.is_complete
    assert not set(backup.missing) & {"k6", "m7-1", "m7-2"}
    assert "shard 0 of documents" in backup.missing


def test_verify_finds_a_shard_that_no_file_has(cluster: StandinCluster, tmp_path: Path) -> None:
    backup, stored = back_up(cluster, tmp_path / "nas")
    without = tuple(piece for piece in backup.pieces if 0 not in piece.about.get("shards", ()))
    old = StoredBackup(stored.store, dataclasses.replace(backup, pieces=without))
    [wrong, *_] = old.verify(Backups([]), lambda *_: None).wrong
    assert wrong.startswith("shard 0 of documents: no snapshot has it whole")


def test_a_collection_that_cannot_be_told_of_is_missing_and_the_others_are_there(
    cluster: StandinCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.create_collection("notes")
    ask = Api.get

    def broken(api: Api, path: str, **params: Any) -> Any:
        if path == "/collections/documents":
            raise QdrantError(f"{api.device}: GET {path}: shard 0 cannot be read", status=500)
        return ask(api, path, **params)

    monkeypatch.setattr(Api, "get", broken)
    backup, stored = back_up(cluster, tmp_path / "nas")
    assert backup.missing == {
        **dict.fromkeys(
            ("k6", "m7-1", "m7-2"),
            "documents: GET /collections/documents: shard 0 cannot be read",
        ),
        "documents": "no node could tell of it",
    }
    assert {piece.name for piece in backup.pieces} == {"cluster.json", "notes.snapshot"}
    assert stored.verify(Backups([]), lambda *_: None).wrong == []


def test_a_snapshot_that_fails_does_not_hide_the_next_one(
    cluster: StandinCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.create_collection("notes")
    create = snapshots.create

    def fails(api: Api, collection: str, *rest: Any, **options: Any) -> Any:
        if (api.device, collection) == ("m7-1", "documents"):
            raise QdrantError("m7-1: POST …/snapshots: No space left on device", status=500)
        return create(api, collection, *rest, **options)

    monkeypatch.setattr(snapshots, "create", fails)
    backup, _ = back_up(cluster, tmp_path / "nas")
    assert backup.missing == {"m7-1": "documents: POST …/snapshots: No space left on device"}
    assert "m7-1/notes.snapshot" in {piece.path for piece in backup.pieces}


def test_one_that_came_damaged_does_not_hide_the_next_one_and_does_not_stay(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    cluster.create_collection("notes")
    cluster["m7-1"].set_faults(wrong_checksum=True)
    backup, _ = back_up(cluster, tmp_path / "nas")
    assert backup.missing["m7-1"] == (
        "documents.snapshot came damaged: it has not the SHA-256 announced; "
        "notes.snapshot came damaged: it has not the SHA-256 announced"
    )
    left = {path.name for path in (tmp_path / "nas" / backup.stamp / "m7-1").iterdir()}
    assert left == {"cluster.json"}
    for node in cluster.nodes:
        assert node.result("GET", "/collections/documents/snapshots") == []


@pytest.mark.parametrize("status", [404, 500])
def test_a_snapshot_that_cannot_be_removed_is_said_and_no_failure(
    cluster: StandinCluster, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    def refuses(api: Api, *_: Any) -> None:
        raise QdrantError(f"{api.device}: DELETE: it is not there", status=status)

    monkeypatch.setattr(snapshots, "delete", refuses)
    said: list[str] = []
    with closing(Backups(members_of(cluster)).pieces("k6", say=said.append)) as pieces:
        assert [type(each) for each in pieces] == [Piece, Piece]
    assert [text for text in said if "stays among its snapshots" in text] == said
    assert len(said) == (0 if status == 404 else 1)


def test_a_node_without_room_makes_no_snapshot(
    cluster: StandinCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Disk(0, 3 << 20, 1 << 40, shared=False, collections={"documents": 4 << 20})
    monkeypatch.setattr("qdrant_driver.backups.read_disk", lambda _: full)
    monkeypatch.setattr(snapshots, "create", lambda *_: pytest.fail("it was made"))
    with closing(Backups(members_of(cluster)).pieces("k6")) as pieces:
        first, around = pieces
    what = "3.0 GiB are free below /qdrant/storage, 4.0 are needed"
    assert first == Lost("documents", what)
    assert isinstance(around, Piece)


def test_a_disk_that_cannot_be_read_is_said(
    cluster: StandinCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: object) -> Disk:
        raise PaisctlError("k6: reading its disk: no `df`")

    monkeypatch.setattr("qdrant_driver.backups.read_disk", unreadable)
    said: list[str] = []
    with closing(Backups(members_of(cluster)).pieces("k6", say=said.append)) as pieces:
        assert len(list(pieces)) == 2
    assert said == [
        "k6: reading its disk: no `df`; whether there is room for snapshots is not known"
    ]


def test_a_collection_that_is_made_or_deleted_meanwhile_is_no_gap(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    _, stored = back_up(cluster, tmp_path / "nas")
    first, second, third = (each for each in stored.pieces if each.name == "cluster.json")

    class Changed(StoredBackup):
        """One in which the nodes told of different collections."""

        def json(self, piece: Any) -> Any:
            seen = super().json(piece)
            documents = seen["collections"]["documents"]
            if piece == third:
                seen["collections"]["new"] = documents
            if piece in (first, second):
                seen["collections"]["gone"] = documents
            if self.forgets and piece == second:
                seen["collections"] = {}
                seen["cluster"]["raft_info"]["leader"] = None
            return seen

        forgets = False

    changed = Changed(stored.store, stored.backup)
    assert Backups([]).missing(changed) == {}
    changed.forgets = True  # what a node without a leader does not know says nothing
    seen = Changed(stored.store, dataclasses.replace(stored.backup, pieces=(first, second, third)))
    seen.forgets = True
    assert list(Backups([]).missing(seen)) == [f"shard {n} of documents" for n in range(3)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "no usable `cluster`"),
        ({"cluster": {}, "aliases": {}}, "no usable `collections`"),
        ({"cluster": {}, "aliases": {}, "collections": {"documents": 3}}, "`collections`"),
    ],
)
def test_what_tells_of_a_backup_and_cannot_be_understood_is_said(
    cluster: StandinCluster, tmp_path: Path, content: Any, words: str
) -> None:
    _, stored = back_up(cluster, tmp_path / "nas")

    class Odd(StoredBackup):
        def json(self, piece: Any) -> Any:  # noqa: ARG002
            return content

    driver = Backups(members_of(cluster))
    with pytest.raises(PaisctlError, match=words):
        driver.obstacles(Odd(stored.store, stored.backup))


def test_what_tells_of_a_backup_is_not_used_when_it_has_changed(
    cluster: StandinCluster, tmp_path: Path
) -> None:
    backup, stored = back_up(cluster, tmp_path / "nas")
    file = tmp_path / "nas" / backup.stamp / "k6" / "cluster.json"
    seen = json.loads(file.read_text())
    seen["aliases"] = {"docs": "documents"}
    file.write_text(json.dumps(seen))
    with pytest.raises(PaisctlError, match=r"k6/cluster\.json is damaged"):
        Backups(members_of(cluster)).obstacles(stored)
