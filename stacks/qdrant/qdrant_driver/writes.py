"""The write consistency factor, lowered while nodes are away and put back afterwards.

A write needs min(factor, number of replicas) successes, replicas that are down count in that number, and
a write that fails for want of them does not mark the one that is down Dead (qdrant lib/collection/src/
shards/replica_set/update.rs). So a factor that asks for all replicas refuses writes while one is away.
"""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from paisctl.cluster.driver import Journal, Obstacle, Say
from paisctl.errors import PaisctlError
from qdrant_driver.api import Api, QdrantError, path_of
from qdrant_driver.nodes import Nodes
from qdrant_driver.shapes import CollectionView, ShardMap, parse_collection

KEY = "write_consistency"  # in the journal: by collection, what it `was` and what it is `set` to


def lower(nodes: Nodes, journal: Journal, say: Say) -> None:
    """Lower the factor wherever it would refuse writes while one node is away.

    Raises:
        QdrantError: a node does not take it; what was recorded before can be put back.
    """
    node = nodes.answering(collections=True)
    if node.problem:
        raise QdrantError(str(node.problem), node.problem.hint)
    wanted = {
        name: {"was": view.write_consistency_factor, "set": factor}
        for name, view in node.collections.items()
        if (factor := _lower_factor(view, node.shards[name]))
    }
    if not wanted:
        return
    journal.keep(KEY, {**journal.get(KEY, {}), **wanted})
    with nodes.api(node.device) as api:
        for name, factors in wanted.items():
            _set(api, name, factors["set"])
            say(
                f"{name}: write consistency factor {factors['was']} → {factors['set']}, so that "
                "writes go on while a node is away; put back at the end"
            )


def _lower_factor(view: CollectionView, shards: ShardMap) -> int | None:
    """The factor to set; None where it may stay. Shards without a second replica do not count."""
    copies = [len(replicas) for replicas in shards.by_shard.values() if len(replicas) > 1]
    if not copies or view.write_consistency_factor < min(copies):
        return None
    return min(copies) - 1


def put_back(nodes: Nodes, journal: Journal, say: Say) -> list[Obstacle]:
    """Set each factor that was lowered to what it was, unless somebody has changed it meanwhile.

    Returns:
        What could not be put back.
    """
    recorded: dict[str, dict[str, int]] = journal.get(KEY, {})
    if not recorded:
        return []
    left, found = {}, []
    away = nodes.look().problems()
    for name, factors in recorded.items():
        try:
            with nodes.api(nodes.answering().device) as api:
                _put_back(api, name, factors, say, away)
        except PaisctlError as error:
            left[name] = factors
            found.append(
                Obstacle(
                    f"{name}: its write consistency factor is not {factors['was']} again: "
                    f"{error.message}",
                    f'again when the cluster is whole, or PATCH /collections/{name} {{"params": '
                    f'{{"write_consistency_factor": {factors["was"]}}}}}',
                )
            )
    journal.keep(KEY, left)
    return found


def _put_back(
    api: Api, name: str, factors: dict[str, int], say: Say, away: Sequence[Obstacle]
) -> None:
    try:
        now = parse_collection(api.get(path_of(name))).write_consistency_factor
    except QdrantError as error:
        if error.status != httpx.codes.NOT_FOUND:
            raise
        say(f"{name} has gone meanwhile; its write consistency factor cannot be put back")
        return
    if now == factors["set"]:
        if away:
            raise QdrantError(f"it would refuse writes, for {away[0]}")
        _set(api, name, factors["was"])
        say(f"{name}: write consistency factor {now} → {factors['was']} again")
    elif now != factors["was"]:
        say(f"{name}: somebody has set its write consistency factor to {now}; it stays so")


def _set(api: Api, collection: str, factor: int) -> None:
    changes = {"params": {"write_consistency_factor": factor}}
    if not api.patch(path_of(collection), changes):
        raise QdrantError(f"{api.device}: {collection}: PATCH of the factor timed out in consensus")
