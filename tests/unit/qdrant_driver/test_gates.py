"""How far the replicas of a shard may be apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qdrant_driver.gates import differences
from qdrant_driver.nodes import Look
from tests.unit.qdrant_driver.looks import look, node, shards


def with_points(on_k6: int, on_m7_1: int) -> Look:
    seen = []
    for peer, device, points in ((1, "k6", on_k6), (2, "m7-1", on_m7_1)):
        whole = shards(peer)
        first, *rest = whole.replicas
        mine = next(each for each in whole.replicas if each.shard_id == 0 and each.peer_id == peer)
        others = [each for each in (first, *rest) if each is not mine]
        replicas = (replace(mine, points=points), *others)
        seen.append(node(device, shards={"documents": replace(whole, replicas=replicas)}))
    return look(*seen)


@pytest.mark.parametrize(
    ("one", "other", "passed"),
    [
        (500, 500, True),
        (0, 100, True),
        (0, 101, False),
        (95_000, 100_000, True),
        (94_000, 100_000, False),
    ],
)
def test_counts_may_differ_a_little(one: int, other: int, passed: bool) -> None:
    found = differences(with_points(one, other), "k6")
    assert (not found) == passed
    if found:
        expected = f"documents: points of shard 0 differ: k6 {one}, m7-1 {other}"
        assert [str(each) for each in found] == [expected]


def test_only_the_shards_of_the_node_are_compared() -> None:
    assert differences(with_points(0, 5000), "m7-2") == []
