"""What is not seen is not taken for done: when a node is filled again, and when factors are lowered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from paisctl.errors import PaisctlError
from qdrant_driver import rebuild, whole, writes
from tests.unit.qdrant_driver.members import Lab, LocalMember, MemoryJournal, lab

NOTES = "/collections/notes"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("cluster")) as three:
        three.cluster.create_collection("notes", write_consistency_factor=2)
        yield three


@pytest.fixture
def calm(running: Lab) -> Iterator[Lab]:
    yield replace(running, journal=MemoryJournal(), said=[])
    for node in running.cluster.nodes:
        node.set_faults()


def lacking(running: Lab, device: str) -> int:
    """A shard that is on both other nodes only."""
    told = running.cluster[device].result("GET", f"{NOTES}/cluster")
    [shard] = {0, 1, 2} - {each["shard_id"] for each in told["local_shards"]}
    return shard


def had(running: Lab, device: str, *shards: int) -> None:
    entry = {"shards": [["notes", shard] for shard in shards], "aside": ["aside-1"]}
    running.journal.keep(rebuild.KEY, {device: entry})


def test_a_node_is_filled_only_while_all_say_where_shards_are(
    calm: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "consensus", lambda *_: [])  # that was so a moment ago
    had(calm, "m7-1", lacking(calm, "m7-1"))
    calm.cluster["m7-2"].set_faults(refusals={f"{NOTES}/cluster": "shard 0 is locked"})
    with pytest.raises(PaisctlError, match=r"m7-2: .*shard 0 is locked"):
        rebuild.refill(calm.nodes, "m7-1", calm.journal, calm.say)
    assert calm.said == []


def test_a_node_is_filled_when_all_it_had_is_active_there(
    calm: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = lacking(calm, "m7-1")
    had(calm, "m7-1", shard)
    monkeypatch.setattr(rebuild, "copy", lambda *_: None)
    with pytest.raises(PaisctlError, match=f"m7-1: shard {shard} of notes is not Active there"):
        rebuild.refill(calm.nodes, "m7-1", calm.journal, calm.say)
    assert calm.said == []


def test_a_node_that_is_no_peer_is_not_filled(calm: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(LocalMember):
        def url(self, port: str) -> str:
            return "http://elsewhere:6335" if port == "p2p" else super().url(port)

    members: list[Any] = [
        Elsewhere(each.node) if each.device == "m7-1" else each for each in calm.members.values()
    ]
    had(calm, "m7-1", 0)
    monkeypatch.setattr(whole, "consensus", lambda *_: [])  # it has just agreed
    with pytest.raises(PaisctlError, match="m7-1 is no part of the cluster any more"):
        rebuild.refill(replace(calm.nodes, members=members), "m7-1", calm.journal, calm.say)


def test_no_factor_is_lowered_when_one_cannot_be_read(calm: Lab) -> None:
    calm.cluster.create_collection("other", write_consistency_factor=2)
    calm.cluster["k6"].set_faults(refusals={NOTES: "shard 0 cannot be read"})
    with pytest.raises(PaisctlError, match=r"k6: .*shard 0 cannot be read"):
        writes.lower(calm.nodes, calm.journal, calm.say)
    assert calm.journal.get(writes.KEY) is None
    assert calm.said == []
