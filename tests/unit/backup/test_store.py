from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import stat
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from paisctl.backup.dumps import DumpDriver
from paisctl.backup.store import Store, Written
from paisctl.backup.stored import StoredBackup, Verification
from paisctl.cluster.backup_driver import Kept
from paisctl.errors import HostError
from paisctl.transports import Completed
from paisctl.transports.local import LocalTransport

from .places import store_at
from .test_retention import backup

STAMP = "20261122T213000Z"


def test_a_file_is_on_the_store_what_was_sent(tmp_path: Path) -> None:
    store = store_at(tmp_path / "nas" / "knowledge")
    chunks = [bytes([n]) * 100_000 for n in range(20)]
    told: list[int] = []
    written = store.write("k6/a file.snapshot", chunks, told.append)
    content = b"".join(chunks)
    assert written == Written(2_000_000, hashlib.sha256(content).hexdigest())
    assert told[-1] == 2_000_000
    assert store.digest("k6/a file.snapshot") == written
    assert b"".join(store.chunks("k6/a file.snapshot")) == content


def test_a_disk_that_is_not_mounted_is_not_written_to(tmp_path: Path) -> None:
    store = Store(LocalTransport(), "nas", str(tmp_path / "volume1" / "backups" / "knowledge"))
    for act in (store.prepare, lambda: store.begin(STAMP, "ours"), store.manifests):
        with pytest.raises(HostError, match=r"/backups is not there: is it mounted\?"):
            act()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_entered_is_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "knowledge").write_text("no directory")
    store = store_at(tmp_path / "knowledge")
    for list_them in (store.manifests, store.partials):
        with pytest.raises(HostError, match="cannot be read"):
            list_them()


def test_a_backup_that_cannot_be_begun_leaves_nothing(tmp_path: Path) -> None:
    class Full(LocalTransport):
        def run(self, command: str, stdin: bytes = b"") -> Completed:
            return super().run(f"ulimit -f 0; trap '' XFSZ; {command}", stdin)

    store = Store(Full(), "nas", str(tmp_path / "knowledge"))
    with pytest.raises(HostError, match="cannot be used"):
        store.begin(STAMP, "ours")
    assert list((tmp_path / "knowledge").iterdir()) == []


def test_others_may_not_read_it(tmp_path: Path) -> None:
    store = store_at(tmp_path / "nas")
    store.begin(STAMP, "ours")
    store.write(f".{STAMP}.partial/k6/a", [b"secret"])
    for path in (tmp_path / "nas").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_full_disk_ends_the_copy_and_is_said(tmp_path: Path) -> None:
    (tmp_path / "nas").mkdir()
    (tmp_path / "nas" / "full").symlink_to("/dev/full")
    read: list[int] = []

    def endless() -> Iterator[bytes]:
        for number in range(10_000):
            read.append(number)
            yield b"x" * 100_000

    with pytest.raises(HostError, match=r"nas cannot write .*: .*No space left"):
        store_at(tmp_path / "nas").write("full", endless())
    assert len(read) < 10_000


def test_a_file_that_is_not_there_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="it is not there"):
        store_at(tmp_path).digest("missing")
    with pytest.raises(HostError, match="cannot be read"):
        list(store_at(tmp_path).chunks("missing"))


@pytest.mark.parametrize("program", ["sha256sum", "shasum", "openssl"])
def test_any_program_that_computes_sha256_will_do(tmp_path: Path, program: str) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "wc", program):
        found = shutil.which(name)
        assert found, f"{name} is needed for this test"
        (programs / name).symlink_to(found)
    (tmp_path / "file").write_bytes(b"content")
    bare = Store(LocalTransport({"PATH": str(programs)}), "nas", str(tmp_path))
    assert bare.digest("file") == Written(7, hashlib.sha256(b"content").hexdigest())


def test_a_backup_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    store = store_at(tmp_path / "nas")
    assert (store.manifests(), store.partials()) == ({}, {})
    partial = store.begin(STAMP, "ours")
    store.write(f"{partial}/manifest.json", [b'{"a": 1}\n'])
    assert (store.manifests(), store.partials()) == ({}, {partial: "ours"})
    store.finish(STAMP)
    assert store.manifests() == {STAMP: '{"a": 1}\n'}
    assert store.partials() == {}
    assert [path.name for path in (tmp_path / "nas" / STAMP).iterdir()] == ["manifest.json"]


def test_all_is_on_the_disk_before_it_has_its_name(tmp_path: Path) -> None:
    root, log = tmp_path / "nas", tmp_path / "log"
    (tmp_path / "sync").write_text(f"#!/bin/sh\nls -A {root} >>{log}\n")
    (tmp_path / "sync").chmod(0o755)
    store = Store(LocalTransport({"PATH": f"{tmp_path}:/usr/bin:/bin"}), "nas", str(root))
    partial = store.begin(STAMP, "ours")
    store.finish(STAMP)
    assert log.read_text().split() == [partial, STAMP]


def test_two_that_begin_in_the_same_second_do_not_mix(tmp_path: Path) -> None:
    store_at(tmp_path).begin(STAMP, "ours")
    with pytest.raises(HostError, match="cannot be used"):
        store_at(tmp_path).begin(STAMP, "ours")


@pytest.mark.parametrize("name", ["", "..", "20261122T213000Z/..", "family", "/"])
def test_only_what_is_called_like_a_backup_is_ever_removed(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no backup"):
        store_at(tmp_path).remove(name)


def test_archives_are_opened_on_the_store(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("config.json")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"{}"))
    store = store_at(tmp_path)
    store.write("a.tar", [packed.getvalue()])
    store.write("a.tar.gz", [gzip.compress(packed.getvalue())])
    assert store.members("a.tar") == ["config.json"]
    assert store.members("a.tar.gz", zipped=True) == ["config.json"]
    assert store.member("a.tar", "config.json") == b"{}"
    store.write("a.tar.gz", [gzip.compress(packed.getvalue())[:-20]])
    with pytest.raises(HostError, match="damaged"):
        store.unzips("a.tar.gz")
    store.write("a.tar", [packed.getvalue()[:600]])
    with pytest.raises(HostError, match="cannot be read"):
        store.member("a.tar", "other")


def busybox_at(folder: Path) -> LocalTransport:
    """A machine with next to nothing but BusyBox."""
    busybox = shutil.which("busybox")
    assert busybox, "busybox is needed for this test"
    programs = folder / "bin"
    programs.mkdir()
    for name in ("sh", "cat", "mkdir", "mv", "rm", "sync", "wc", "sha256sum", "tar", "gzip"):
        (programs / name).symlink_to(busybox)
    return LocalTransport({"PATH": str(programs)})


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_what_comes_slowly_is_written_to_its_end(tmp_path: Path, shell: str) -> None:
    """Some shells become the last command that they are given, and their stdout is the file then."""
    if shell == "busybox":
        transport = busybox_at(tmp_path)
    else:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "sh").symlink_to(str(shutil.which(shell)))
        transport = LocalTransport({"PATH": f"{tmp_path}/bin:/usr/bin:/bin"})

    def slow() -> Iterator[bytes]:
        for piece in (b"one", b"two", b"three"):
            time.sleep(0.1)
            yield piece

    store = Store(transport, "nas", str(tmp_path / "nas"))
    assert store.write("dump", slow()).size == 11
    assert (tmp_path / "nas" / "dump").read_bytes() == b"onetwothree"


def test_busybox_is_enough(tmp_path: Path) -> None:
    store = Store(busybox_at(tmp_path), "nas", str(tmp_path / "nas"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("config.json")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"{}"))
    partial = store.begin(STAMP, "ours")
    written = store.write(f"{partial}/k6/a.tar", [packed.getvalue()])
    assert store.digest(f"{partial}/k6/a.tar") == written
    store.write(f"{partial}/manifest.json", [b"{}"])
    store.finish(STAMP)
    assert store.manifests() == {STAMP: "{}"}
    assert store.member(f"{STAMP}/k6/a.tar", "config.json") == b"{}"
    assert store.members(f"{STAMP}/k6/a.tar") == ["config.json"]
    store.remove(STAMP)
    assert store.manifests() == {}


def sparse(folder: Path) -> bytes:
    """An archive as Qdrant writes snapshots: of a file with a hole."""
    with (folder / "segment").open("wb") as file:
        file.write(b"data")
        file.seek(1 << 20)
        file.write(b"data")
    command = ["tar", "--sparse", "--format=gnu", "-cf", "-", "segment"]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout


def verified(transport: LocalTransport, folder: Path, content: bytes) -> Verification:
    """What verifying says of a backup whose only file is a tar with that content."""
    store = Store(transport, "nas", str(folder))
    written = store.write(f"{STAMP}/k6/a.tar", [content])
    piece = Kept("k6/a.tar", "k6", "tar", written.size, written.sha256)
    stored = StoredBackup(store, replace(backup(0), stamp=STAMP, pieces=(piece,)))
    return stored.verify(DumpDriver([], [], {}), lambda *_: None)


def test_what_this_tar_cannot_open_is_not_called_damaged(tmp_path: Path) -> None:
    content = sparse(tmp_path)
    assert len(content) < 1 << 20
    assert verified(LocalTransport(), tmp_path, content) == Verification([], [])
    small = busybox_at(tmp_path)
    assert verified(small, tmp_path, content) == Verification([], ["k6/a.tar"])
    assert (store_at(tmp_path).opens_holes(), Store(small, "", "").opens_holes()) == (True, False)


def test_what_a_good_tar_cannot_open_is_no_archive(tmp_path: Path) -> None:
    found = verified(LocalTransport(), tmp_path, b"no archive" * 1000)
    assert (len(found.wrong), found.unopened) == (1, [])
    empty = verified(busybox_at(tmp_path), tmp_path, b"")
    assert (empty.wrong, empty.unopened) == (["k6/a.tar is empty"], [])
