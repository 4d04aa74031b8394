"""Copying shards from one node to another, and waiting until the copy counts.

`replicate_shard` starts a transfer; its target is Active when it is done. A transfer that breaks off leaves
the target Dead, and Qdrant tries again by itself (lib/collection/src/collection/shard_transfer.rs).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from paisctl.cluster.driver import Say, Task
from qdrant_driver import whole
from qdrant_driver.api import QdrantError, path_of
from qdrant_driver.nodes import Look, Nodes
from qdrant_driver.shapes import parse_shard_map
from qdrant_driver.versions import parse_version

_PATIENCE = 6 * 3600.0  # seconds for one shard: hundreds of gigabytes take hours
_ATTEMPTS = 3


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
    """Copy a shard unless it is there, and wait until it is.

    Raises:
        QdrantError: it cannot be started, does not end well or takes too long.
    """
    attempts = 0

    def missing() -> str:
        nonlocal attempts
        with nodes.api(nodes.answering().device) as api:
            view = parse_shard_map(api.get(path_of(wanted.collection, "cluster")))
            states = {r.peer_id: r.state for r in view.by_shard.get(wanted.shard_id, [])}
            moving = any(
                each.shard_id == wanted.shard_id and each.target == wanted.target
                for each in view.transfers
            )
            state = states.get(wanted.target)
            if state == "Active" and not moving:
                return ""
            if not moving and state is None:
                attempts += 1
                if attempts <= _ATTEMPTS:
                    api.post(path_of(wanted.collection, "cluster"), json=_operation(wanted))
            return (
                "it is being transferred"
                if moving
                else f"the new replica is {state or 'asked for'}"
            )

    look = nodes.look()
    source, target = look.device_of(wanted.source), look.device_of(wanted.target)
    say(f"copying shard {wanted.shard_id} of {wanted.collection} {source} → {target}")
    what = f"the copy of shard {wanted.shard_id} of {wanted.collection} to {target}"
    nodes.wait(missing, _PATIENCE, what)


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
