"""Copying shards from one node to another, and waiting until the copy counts.

`replicate_shard` starts a transfer; its target is Active when it is done. A transfer that breaks off leaves
the target Dead, and Qdrant tries again by itself (lib/collection/src/collection/shard_transfer.rs).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from paisctl.cluster.driver import Say, Task
from paisctl.errors import PaisctlError
from qdrant_driver import whole
from qdrant_driver.api import QdrantError, path_of
from qdrant_driver.nodes import Look, Nodes
from qdrant_driver.shapes import ACTIVE, parse_shard_map
from qdrant_driver.versions import parse_version

_PATIENCE = 600.0  # seconds without a transfer; one that goes on may take hours


@dataclass(frozen=True, slots=True)
class Copy:
    """A shard that is to be on another node, too."""

    collection: str
    shard_id: int
    source: int
    target: int
    method: str


def replicate_first(nodes: Nodes, task: Task, say: Say) -> None:
    """Give every shard that is on one node only a second replica, on the node with the fewest shards.

    It stays there, and the replication factor becomes 2 where it was 1, so that the configuration says so
    and a restore keeps it. What is accepted to be away is left alone.
    """
    look = nodes.look()
    if problems := look.problems():
        raise QdrantError(str(problems[0]), problems[0].hint)
    load = Counter(dict.fromkeys(look.peers(), 0)) + whole.shards_on(look)
    load.update(dict.fromkeys(look.peers(), 0))
    for name, shards in whole.single_copies(look).items():
        if name in task.accept_downtime:
            continue
        for shard, only in shards.items():
            target = min(
                (peer for peer in load if peer != only.peer_id), key=lambda p: (load[p], p)
            )
            load[target] += 1
            source = only.peer_id
            copy(nodes, Copy(name, shard, source, target, method(look, source, target)), say)
        _raise_factor(nodes, name, say)


def method(look: Look, source: int, target: int) -> str:
    """How to transfer: a snapshot carries the indexes, too, but only the same or a newer version takes it."""
    versions = {view.peer_id: parse_version(node.version) for node, view in look.views()}
    old, new = versions.get(source), versions.get(target)
    takes = old and new and (old.major, old.minor) <= (new.major, new.minor)
    return "snapshot" if takes else "stream_records"


def copy(nodes: Nodes, wanted: Copy, say: Say) -> None:
    """Copy a shard unless it is there, and wait until it is, for as long as it is on its way.

    Raises:
        QdrantError: nothing has moved for ten minutes.
    """
    look = nodes.look()
    what = (
        f"shard {wanted.shard_id} of {wanted.collection} "
        f"{look.device_of(wanted.source)} → {look.device_of(wanted.target)}"
    )
    say(f"copying {what}")
    moved = nodes.clock()
    while True:
        try:
            missing, moves = _missing(nodes, wanted)
        except PaisctlError as error:
            missing, moves = error.message, False
        if not missing:
            return
        if moves:
            moved = nodes.clock()
        elif nodes.clock() - moved > _PATIENCE:
            raise QdrantError(f"copying {what} does not go on: {missing}")
        nodes.sleep(2.0)


def _missing(nodes: Nodes, wanted: Copy) -> tuple[str, bool]:
    """What a copy still lacks, and whether it is on its way; starts it if it is not there at all."""
    with nodes.api(nodes.answering().device) as api:
        view = parse_shard_map(api.get(path_of(wanted.collection, "cluster")))
        states = {each.peer_id: each.state for each in view.by_shard.get(wanted.shard_id, [])}
        state = states.get(wanted.target)
        if any(
            each.shard_id == wanted.shard_id and each.target == wanted.target
            for each in view.transfers
        ):
            return "it is on its way", True
        if state is None:
            api.post(path_of(wanted.collection, "cluster"), json=_operation(wanted))
            return "it has been asked for", False
        return ("" if state == ACTIVE else f"the replica is {state}"), False


def _operation(wanted: Copy) -> dict[str, object]:
    """openapi.json, ReplicateShardOperation."""
    return {
        "replicate_shard": {
            "shard_id": wanted.shard_id,
            "from_peer_id": wanted.source,
            "to_peer_id": wanted.target,
            "method": wanted.method,
        }
    }


def _raise_factor(nodes: Nodes, collection: str, say: Say) -> None:
    node = nodes.answering(collections=True)
    if node.collections[collection].replication_factor > 1:
        return
    with nodes.api(node.device) as api:
        api.patch(path_of(collection), {"params": {"replication_factor": 2}})
    say(f"{collection}: replication factor 1 → 2")
