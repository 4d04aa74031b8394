"""Snapshots whose answer does not come: they are waited for, and made once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from paisctl.cluster.driver import Task
from qdrant_driver import snapshots
from qdrant_driver.api import Api, QdrantError, Unreachable
from tests.unit.qdrant_driver.members import Lab, MemoryJournal, lab
from tests.unit.standins.processes import eventually

PATH = "/collections/documents/snapshots"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("cluster")) as three:
        three.cluster.create_collection("documents")
        yield three


@pytest.fixture
def api(running: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A node that answers in no time, or not at all."""
    monkeypatch.setattr(snapshots, "SNAPSHOT_TIMEOUT", 0.2)
    monkeypatch.setattr(snapshots, "_POLL", 0.1)
    node = running.cluster["k6"]
    with running.nodes.api("k6") as api:
        yield api
    node.set_faults()
    eventually(lambda: not is_being_made(running))
    for each in node.result("GET", PATH):
        node.result("DELETE", f"{PATH}/{each['name']}")


def is_being_made(running: Lab) -> bool:
    told = running.cluster["k6"].result("GET", "/telemetry?details_level=2")
    return any(each["running_snapshots"] for each in told["collections"].get("snapshots", ()))


def test_one_that_takes_longer_than_an_answer_may_is_waited_for(running: Lab, api: Api) -> None:
    earlier = snapshots.create(api, "documents")
    time.sleep(1)  # their names are moments, in seconds
    running.cluster["k6"].set_faults(snapshot_seconds=1.2)
    made = snapshots.create(api, "documents")
    assert made != earlier
    assert made.checksum
    assert snapshots.listed(api, "documents") == [earlier, made]


def test_one_that_fails_while_nobody_listens_is_an_error(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise Unreachable("k6: the connection broke")

    monkeypatch.setattr(Api, "post", breaks)
    with pytest.raises(QdrantError, match="the connection broke"):
        snapshots.create(api, "documents")


def test_a_node_that_says_nothing_for_long_is_given_up(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    def silent(*_: object, **__: object) -> None:
        raise Unreachable("k6: nothing answers")

    monkeypatch.setattr(snapshots, "_POLL", 5.0)
    monkeypatch.setattr(Api, "get", silent)
    with pytest.raises(QdrantError, match="nothing answers"):
        snapshots.finished(api, "documents", (), slept.append)
    assert sum(slept) == 305


def test_one_that_was_asked_for_before_a_crash_is_not_made_again(running: Lab, api: Api) -> None:
    class Crash(BaseException):
        """What ends paisctl without a word."""

    class Fragile(MemoryJournal):
        def keep(self, key: str, value: Any) -> None:
            super().keep(key, value)
            if key == snapshots.ASKED:
                running.cluster["k6"].set_faults(snapshot_seconds=2)
                running.cluster["k6"].send("POST", f"{PATH}?wait=false", None)
                raise Crash

    journal = Fragile()
    with pytest.raises(Crash):
        snapshots.take_all(running.nodes, journal, running.say)
    time.sleep(1)  # another one would have another name
    assert is_being_made(running)
    again = MemoryJournal(journal.values)
    snapshots.take_all(running.nodes, again, running.say)
    eventually(lambda: not is_being_made(running))
    [only] = snapshots.listed(api, "documents")
    assert again.get(snapshots.KEY)["k6"]["documents"]["name"] == only.name


def test_after_a_damaged_one_another_one_is_made(running: Lab, api: Api) -> None:
    node, journal = running.cluster["k6"], MemoryJournal()
    node.set_faults(wrong_checksum=True)
    with pytest.raises(QdrantError, match="is damaged"):
        snapshots.take_all(running.nodes, journal, running.say)
    node.set_faults()
    running.driver.prepare(Task("v1.19.0"), journal, running.say)
    assert len(snapshots.listed(api, "documents")) in (1, 2)  # within a second they have one name
    assert journal.get(snapshots.KEY)["k6"]["documents"]["checksum"]
