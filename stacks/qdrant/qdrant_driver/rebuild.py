"""Emptying a node that is beyond repair, and filling it again from the others.

As Qdrant's documentation has it for a node that is lost (distributed deployment, "Node failure recovery"):
remove the peer, start an empty one, replicate its shards to it. Its old data is put aside, never removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from paisctl.cluster.driver import Journal, Say
from paisctl.cluster.member import checked
from qdrant_driver import whole
from qdrant_driver.api import QdrantError
from qdrant_driver.nodes import SERVICE, STORAGE, Look, Nodes
from qdrant_driver.replicate import Copy, copy, method
from qdrant_driver.shapes import Replica

KEY = "rebuilt"  # in the journal: by device, the `shards` it had and where its data is `aside`
ASIDE = "aside-"
_AGREE_SECONDS = 120.0  # the others elect a leader, if it was the leader that went
_JOIN_SECONDS = 900.0

# Within one file system, so that it takes no time and no space.
_MOVE = f"""
set -eu
cd {STORAGE}
for each in * .[!.]*; do
    case $each in {ASIDE}* | lost+found) continue ;; esac
    [ -e "$each" ] || continue
    mkdir -p -- "$1"
    mv -- "$each" "$1/"
done
"""


def dismiss(nodes: Nodes, device: str, journal: Journal, say: Say) -> None:
    """Take a node out of the cluster, and its data out of its way. May be done again.

    Raises:
        QdrantError: the others do not have all of its shards, or do not agree.
    """
    look = nodes.look({device})
    if lost := whole.lost_without(look, {device}):
        name, shards = next(iter(lost.items()))
        numbers = ", ".join(map(str, sorted(shards)))
        raise QdrantError(
            f"{device} must not be emptied: no other node has shard {numbers} of {name} Active",
            "restore it from a backup, or get the node to start: its log says what is wrong",
        )
    aside = f"{ASIDE}{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    _record(nodes, device, look, aside, journal)
    nodes.member(device).stop(SERVICE)
    nodes.wait(
        lambda: _first(whole.consensus(nodes.look({device}), {device})),
        _AGREE_SECONDS,
        "agreement of the other nodes",
    )
    _remove_peers(nodes, device, say)
    nodes.wait(
        lambda: ", ".join(f"{peer} is still a peer" for peer in _peers_of(nodes, device)),
        _AGREE_SECONDS,
        f"removing {device} from the cluster",
    )
    moved = nodes.member(device).beside(SERVICE, ["sh", "-c", _MOVE, "sh", aside])
    checked(moved, f"{device}: moving its data aside")
    say(f"{device}: its data is now in {STORAGE}/{aside}")


def _record(nodes: Nodes, device: str, look: Look, aside: str, journal: Journal) -> None:
    """Remember what it had, with what is known from an earlier attempt: the shard map forgets it."""
    kept: dict[str, Any] = journal.get(KEY, {})
    before = kept.get(device, {"shards": [], "aside": []})
    peers = _peers_in(look, nodes.address(device))
    shards = {
        (name, replica.shard_id)
        for node, _ in look.views({device})
        for name, view in node.shards.items()
        for replica in view.replicas
        if replica.peer_id in peers
    }
    shards |= {(name, shard) for name, shard in before["shards"]}
    entry = {"shards": [list(each) for each in sorted(shards)], "aside": [*before["aside"], aside]}
    journal.keep(KEY, {**kept, device: entry})


def _peers_in(look: Look, address: str) -> list[int]:
    """The peers that are at an address; also one that it was before it was emptied the last time."""
    return sorted(
        {peer for _, view in look.views() for peer, uri in view.peers.items() if uri == address}
    )


def _peers_of(nodes: Nodes, device: str) -> list[int]:
    return _peers_in(nodes.look({device}), nodes.address(device))


def _remove_peers(nodes: Nodes, device: str, say: Say) -> None:
    with nodes.api(nodes.answering({device}).device) as api:
        for peer in _peers_of(nodes, device):
            api.delete(f"/cluster/peer/{peer}", force=True)
            say(f"{device}: peer {peer} is no part of the cluster any more")


def refill(nodes: Nodes, device: str, journal: Journal, say: Say) -> None:
    """Copy the shards that a node had to it again, one at a time, and wait for each.

    Raises:
        QdrantError: it does not join, or a copy does not succeed.
    """
    entry = journal.get(KEY, {}).get(device, {})
    nodes.wait(
        lambda: _first(whole.consensus(nodes.look())),
        _JOIN_SECONDS,
        f"{device} joining the cluster",
    )
    for name, shard in entry.get("shards", ()):
        look, target = _joined(nodes, device)
        copies = _copies(look, device, name, shard)
        sources = [each.peer_id for each in copies if each.is_active and each.peer_id != target]
        if not copies:
            say(f"{name} has gone, or its shard {shard}; it is not copied")
            continue
        if any(each.is_active and each.peer_id == target for each in copies):
            continue
        if not sources:
            raise QdrantError(f"{name}: no other node has shard {shard} Active")
        source = sources[0]
        copy(nodes, Copy(name, shard, source, target, method(look, source, target)), say)
    _require_whole(nodes, device, entry.get("shards", ()))
    if entry:
        folders = ", ".join(f"{STORAGE}/{each}" for each in entry["aside"])
        say(f"{device} has its shards again; remove its old data when all is well: {folders}")


def _joined(nodes: Nodes, device: str) -> tuple[Look, int]:
    """What all nodes say, and which peer the device is.

    Raises:
        QdrantError: one of them cannot say everything, or the device is none.
    """
    look = nodes.look()
    if problems := look.problems():
        raise QdrantError(str(problems[0]), problems[0].hint)
    peers = _peers_in(look, nodes.address(device))
    if not peers:
        raise QdrantError(f"{device} is no part of the cluster any more", f"its log: ssh {device}")
    return look, peers[-1]


def _require_whole(nodes: Nodes, device: str, shards: Sequence[tuple[str, int]]) -> None:
    """See that a node has what it had.

    Raises:
        QdrantError: a shard is missing there, or not Active.
    """
    look, target = _joined(nodes, device)
    for name, shard in shards:
        copies = _copies(look, device, name, shard)
        if copies and not any(each.is_active and each.peer_id == target for each in copies):
            raise QdrantError(f"{device}: shard {shard} of {name} is not Active there")


def _copies(look: Look, device: str, name: str, shard: int) -> list[Replica]:
    """The replicas of a shard, as another node sees them."""
    for node, _ in look.views({device}):
        if name in node.shards:
            return node.shards[name].by_shard.get(shard, [])
    return []


def _first(obstacles: list[Any]) -> str:
    return str(obstacles[0]) if obstacles else ""
