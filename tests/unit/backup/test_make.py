"""Backups of what commands write: made, kept, verified, removed, and fed back."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from paisctl.backup.definition import Definition
from paisctl.backup.events import Copied, Missed
from paisctl.backup.make import Making, prune
from paisctl.backup.manifest import backups_in, find
from paisctl.backup.store import Store, Written
from paisctl.backup.stored import StoredBackup
from paisctl.cluster.backup_driver import Kept, Lost, Piece
from paisctl.errors import HostError, UsageError
from paisctl.inventory.backups import BackupPlan
from paisctl.rendering.bundle import BundleBackup
from paisctl.transports.local import LocalTransport

from .places import LocalMember, Watched, instances, store_at

NOW = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)
DUMP = {
    "name": "all.sql",
    "service": "db",
    "command": ["cat", "database"],
    "restore": ["sh", "-c", "cat >database"],
    "replaces": "the database",
}


class Fleet:
    """Two devices with a database each, and a NAS."""

    def __init__(self, folder: Path, *dumps: dict[str, Any]) -> None:
        self.folder = folder
        self.dumps = dumps or (DUMP,)
        self.watched = Watched()
        for device in ("k6", "m7"):
            (folder / device).mkdir()
            (folder / device / "database").write_text(f"the data of {device}\n")

    def definition(self, **settings: Any) -> Definition:
        plan = {"stack": "db", "store": {"device": "nas", "path": "/srv"}, **settings}
        bundle = BundleBackup.model_validate({"dumps": list(self.dumps)})
        found = BackupPlan.model_validate(plan)
        return Definition("home", "sql", found, bundle, instances("db", ("k6", "m7")))

    def members(self, *devices: str) -> list[LocalMember]:
        return [LocalMember(device, self.folder / device) for device in devices or ("k6", "m7")]

    @property
    def store(self) -> Store:
        return store_at(self.folder / "nas" / "sql")

    def making(self, at: datetime = NOW, away: Sequence[str] = ()) -> Making:
        members = self.members(*(d for d in ("k6", "m7") if d not in away))
        driver = self.definition().driver(members)
        off = dict.fromkeys(away, "it does not answer")
        return Making(self.definition(), driver, self.store, off, self.watched, lambda: at)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_each_device_gives_what_its_command_writes(fleet: Fleet) -> None:
    backup = fleet.making().run()
    assert backup.is_complete
    folder = fleet.folder / "nas" / "sql" / "20261122T213000Z"
    assert (folder / "k6" / "all.sql").read_text() == "the data of k6\n"
    assert (folder / "m7" / "all.sql").read_text() == "the data of m7\n"
    assert [type(each) for each in fleet.watched.events if isinstance(each, Copied)] == [Copied] * 2
    assert backups_in(fleet.store, "home", "sql") == [backup]


def test_a_command_that_fails_at_its_end_gives_nothing(tmp_path: Path) -> None:
    fails = DUMP | {"command": ["sh", "-c", "cat database; echo no space >&2; exit 3"]}
    fleet = Fleet(tmp_path, fails)
    with pytest.raises(HostError, match="nothing could be backed up") as raised:
        fleet.making().run()
    assert raised.value.hint == (
        "k6: all.sql: sh in db failed: no space; m7: all.sql: sh in db failed: no space"
    )
    assert list((tmp_path / "nas" / "sql").iterdir()) == []


def test_a_device_that_is_down_is_missing(fleet: Fleet) -> None:
    backup = fleet.making(away=["m7"]).run()
    assert backup.missing == {"m7": "it does not answer"}
    assert [piece.path for piece in backup.pieces] == ["k6/all.sql"]
    assert [each for each in fleet.watched.events if isinstance(each, Missed)] == [
        Missed("m7", "it does not answer")
    ]
    with pytest.raises(UsageError, match="no backup is complete"):
        find(backups_in(fleet.store, "home", "sql"), "latest")
    assert find(backups_in(fleet.store, "home", "sql"), "20261122T213000Z") == backup


def test_a_store_that_fails_is_no_fault_of_the_devices(fleet: Fleet) -> None:
    (fleet.folder / "nas").mkdir(mode=0o700, exist_ok=True)
    (fleet.folder / "nas" / "sql").write_text("no directory")
    with pytest.raises(HostError, match=r"nas: .* cannot be read"):
        fleet.making().run()


def test_only_what_is_ours_and_too_old_is_removed(fleet: Fleet) -> None:
    made = [fleet.making(NOW + timedelta(seconds=n)).run().stamp for n in range(4)]
    root = fleet.folder / "nas" / "sql"
    for name, text in (
        ("20200101T000000Z", "{}"),
        ("20200102T000000Z", (root / made[0] / "manifest.json").read_text()),
        ("family", "photographs"),
    ):
        (root / name).mkdir()
        (root / name / "manifest.json").write_text(text)
    other = json.loads((root / made[0] / "manifest.json").read_text())
    other |= {"fleet": "office", "stamp": "20200103T000000Z"}
    (root / "20200103T000000Z").mkdir()
    (root / "20200103T000000Z" / "manifest.json").write_text(json.dumps(other))
    keep = {"last": 2, "daily": 0, "weekly": 0, "monthly": 0}
    assert prune(fleet.definition(keep=keep), fleet.store) == made[:2]
    assert sorted(path.name for path in root.iterdir()) == [
        "20200101T000000Z",
        "20200102T000000Z",
        "20200103T000000Z",
        *made[2:],
        "family",
    ]


def test_what_a_broken_off_run_left_goes_before_the_next_one(fleet: Fleet) -> None:
    store = fleet.store
    store.begin("20261122T200000Z", '{"fleet": "home", "name": "sql"}')
    theirs = store.begin("20261118T000000Z", '{"fleet": "office", "name": "sql"}')
    fleet.making().run()
    assert list(store.partials()) == [theirs]


def test_what_could_not_be_finished_does_not_keep_the_store_full(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise HostError("nas cannot write: no space left")

    making = fleet.making()
    monkeypatch.setattr(making.store, "write", full)
    with pytest.raises(HostError, match="no space left"):
        making.run()
    assert fleet.store.partials() == {}


def test_a_store_that_is_not_mounted_is_not_made_on_the_disk_below(fleet: Fleet) -> None:
    making = fleet.making()
    (fleet.folder / "nas").rmdir()
    with pytest.raises(HostError, match=r"nas: .* is not there: is it mounted\?") as raised:
        making.run()
    assert raised.value.hint == f"if it is new: ssh nas mkdir {fleet.folder}/nas"
    with pytest.raises(HostError, match="is it mounted"):
        making.store.manifests()
    assert not (fleet.folder / "nas").exists()


@pytest.mark.parametrize("changed", ["all.sql", "manifest.json"])
def test_what_the_store_reads_back_must_be_what_was_sent(fleet: Fleet, changed: str) -> None:
    class Forgetful(Store):
        def digest(self, path: str) -> Written:
            found = super().digest(path)
            return Written(found.size, "0" * 64) if path.endswith(changed) else found

    making = fleet.making()
    making.store = Forgetful(LocalTransport(), "nas", fleet.store.path)
    with pytest.raises(HostError, match=r"nas has not kept .* as it was sent"):
        making.run()
    assert backups_in(fleet.store, "home", "sql") == []
    assert fleet.store.partials() == {}


def test_a_device_is_not_named_twice(fleet: Fleet) -> None:
    making = fleet.making(away=["m7"])
    making.away = {"m7": "m7: connection refused"}
    assert making.run().missing == {"m7": "connection refused"}


def test_what_comes_back_is_what_was_there(fleet: Fleet) -> None:
    backup = fleet.making().run()
    stored = StoredBackup(fleet.store, backup)
    for device in ("k6", "m7"):
        (fleet.folder / device / "database").write_text("spoilt")
    driver = fleet.definition().driver(fleet.members())
    assert driver.obstacles(stored) == []
    [planned] = driver.replacements(stored)
    assert (planned.name, planned.now) == ("all.sql", "the database")
    driver.restore(stored, planned, lambda _: None)
    assert (fleet.folder / "m7" / "database").read_text() == "the data of m7\n"


def test_a_command_that_prints_nothing_more_is_fed_to_the_end(tmp_path: Path) -> None:
    """With its stdout closed, it looks from here as if it had ended."""
    fleet = Fleet(tmp_path, DUMP | {"restore": ["sh", "-c", "exec >&-; sleep 0.2; cat >database"]})
    stored = StoredBackup(fleet.store, fleet.making().run())
    driver = fleet.definition().driver(fleet.members())
    [planned] = driver.replacements(stored)
    kept = stored.chunks

    def slow(piece: Kept) -> Generator[bytes]:
        time.sleep(0.1)
        yield from kept(piece)

    stored.chunks = slow  # type: ignore[method-assign]
    (fleet.folder / "m7" / "database").write_text("spoilt")
    driver.restore(stored, planned, lambda _: None)
    assert (fleet.folder / "m7" / "database").read_text() == "the data of m7\n"


def test_a_command_that_does_not_take_it_says_why(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, DUMP | {"restore": ["sh", "-c", "echo wrong version >&2; exit 1"]})
    stored = StoredBackup(fleet.store, fleet.making().run())
    driver = fleet.definition().driver(fleet.members())
    [planned] = driver.replacements(stored)
    with pytest.raises(HostError, match=r"k6 does not take all\.sql: wrong version"):
        driver.restore(stored, planned, lambda _: None)


def test_what_has_no_way_back_is_refused(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, {key: DUMP[key] for key in ("name", "service", "command")})
    stored = StoredBackup(fleet.store, fleet.making().run())
    driver = fleet.definition().driver(fleet.members())
    assert "does not say how all.sql is brought back" in str(driver.obstacles(stored)[0])


def test_an_empty_dump_is_no_backup_of_its_device(fleet: Fleet) -> None:
    (fleet.folder / "m7" / "database").write_text("")
    backup = fleet.making().run()
    assert backup.missing == {"m7": "all.sql came empty"}
    assert [piece.path for piece in backup.pieces] == ["k6/all.sql"]
    assert not (fleet.folder / "nas" / "sql" / backup.stamp / "m7" / "all.sql").exists()


def test_a_dump_that_fails_does_not_hide_the_next_one(tmp_path: Path) -> None:
    fails = DUMP | {"name": "roles.sql", "command": ["sh", "-c", "cat database; exit 3"]}
    fleet = Fleet(tmp_path, fails, DUMP)
    backup = fleet.making().run()
    assert backup.missing == dict.fromkeys(
        ("k6", "m7"), "roles.sql: sh in db failed: exit status 3"
    )
    assert [piece.path for piece in backup.pieces] == ["k6/all.sql", "m7/all.sql"]
    assert not (tmp_path / "nas" / "sql" / backup.stamp / "k6" / "roles.sql").exists()


def test_the_version_is_that_of_the_image_that_runs(fleet: Fleet) -> None:
    member = fleet.members("k6")[0]
    driver = fleet.definition().driver([member])
    assert driver.version("k6") == "db:v1"  # nothing runs that says otherwise
    member.image = "postgres:17.1"
    assert driver.version("k6") == "postgres:17.1"


def test_a_file_that_is_gone_or_shorter_is_found(fleet: Fleet) -> None:
    backup = fleet.making().run()
    folder = fleet.folder / "nas" / "sql" / backup.stamp
    (folder / "k6" / "all.sql").unlink()
    (folder / "m7" / "all.sql").write_text("the")
    stored = StoredBackup(fleet.store, backup)
    gone, shorter = stored.verify(fleet.definition().driver([]), lambda *_: None).wrong
    assert "it is not there" in gone
    assert shorter == "m7/all.sql has 3 bytes, not 15"


def test_a_file_that_is_as_long_and_another_is_found(fleet: Fleet) -> None:
    backup = fleet.making().run()
    (fleet.folder / "nas" / "sql" / backup.stamp / "m7" / "all.sql").write_text("the data of m8\n")
    stored = StoredBackup(fleet.store, backup)
    assert stored.verify(fleet.definition().driver([]), lambda *_: None).wrong == [
        "m7/all.sql is damaged: its content has changed since it was written"
    ]


def test_what_comes_shorter_than_announced_is_no_backup_of_its_device(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    making = fleet.making()
    given = making.driver.pieces

    def announced(device: str, *rest: Any) -> Generator[Piece | Lost]:
        for piece in given(device, *rest):
            assert isinstance(piece, Piece)
            yield replace(piece, size=99 if device == "m7" else None)

    monkeypatch.setattr(making.driver, "pieces", announced)
    assert making.run().missing == {"m7": "all.sql came with 15 bytes, not 99 as announced"}
