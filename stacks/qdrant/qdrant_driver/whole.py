"""Whether a cluster is whole: what is wrong with its consensus and with its replicas.

Pure functions on what the nodes say. What is asked of consensus: qdrant src/consensus.rs and the
distributed deployment guide; of replicas: lib/collection/src/shards/replica_set.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection

from paisctl.cluster.driver import Obstacle
from qdrant_driver.nodes import Look
from qdrant_driver.shapes import WORKING, ClusterView, Replica

# Nodes are asked one after the other within a moment, in which the cluster may commit something.
_COMMITS_APART = 10
_WAIT = "Qdrant repairs replicas by itself from others: wait, and look again"


def consensus(look: Look, away: Collection[str] = ()) -> list[Obstacle]:
    """Why the nodes do not all agree, or cannot.

    Args:
        look: what they say.
        away: nodes that are not asked, and may be missed by the others.
    """
    found = look.problems(away)
    for node, view in look.views(away):
        problems = [
            *_thread(view),
            *_peers(look, view, away),
            *_failures(look, view, away),
        ]
        found += [Obstacle(what, hint, node.device) for what, hint in problems]
    return found + _disagreements(look, away)


def _thread(view: ClusterView) -> list[tuple[str, str]]:
    found = []
    if view.consensus != WORKING:
        why = f": {view.error}" if view.error else ""
        found.append((f"its consensus has stopped{why}", "its log says why; restart the node"))
    if view.pending:
        found.append(
            (f"{view.pending} cluster operations wait to be applied", "wait; its log says more")
        )
    if not view.is_voter:
        found.append(("it has no vote in the cluster yet", "wait until it has caught up"))
    if view.leader is None:
        found.append(("it knows no leader", "more than half of the nodes must be up and connected"))
    return found


def _peers(look: Look, view: ClusterView, away: Collection[str]) -> list[tuple[str, str]]:
    known = set(view.peers.values())
    missing = [
        node.device
        for node in look.nodes.values()
        if node.address not in known and node.device not in away
    ]
    found = []
    if missing:
        found.append((f"it does not count {', '.join(missing)} among its peers", ""))
    found += [
        (
            f"it counts a peer {peer} at {uri} that the inventory does not have",
            f"name its device; DELETE /cluster/peer/{peer} would lose what only that node has",
        )
        for peer, uri in view.peers.items()
        if (name := look.device_of(peer)) not in look.nodes and name not in away
    ]
    return found


def _failures(look: Look, view: ClusterView, away: Collection[str]) -> list[tuple[str, str]]:
    """Whom the leader cannot reach.

    It sends to all peers all the time. A follower sends to the leader only, but for elections, so that
    what it has noted about another follower may be of long ago (qdrant src/consensus.rs: an entry goes
    with the next message that arrives).
    """
    if view.peer_id != view.leader:
        return []
    return [
        (
            f"it cannot reach {look.device_at(uri)}" + (f": {error}" if error else ""),
            "try the port 6335 from its host; the tailnet's policy must allow it",
        )
        for uri, error in view.send_failures.items()
        if look.device_at(uri) not in away
    ]


def _disagreements(look: Look, away: Collection[str]) -> list[Obstacle]:
    views = look.views(away)
    leaders = {node.device: look.device_of(view.leader) for node, view in views if view.leader}
    terms = {node.device: view.term for node, view in views}
    newest = max((view.commit for _, view in views), default=0)
    found = []
    if len(set(leaders.values())) > 1:
        said = ", ".join(f"{device} says {leader}" for device, leader in leaders.items())
        found.append(
            Obstacle(f"the nodes disagree about the leader: {said}", "wait, and look again")
        )
    elif len(set(terms.values())) > 1:
        said = ", ".join(f"{device} {term}" for device, term in terms.items())
        found.append(
            Obstacle(f"the nodes are in different Raft terms: {said}", "wait, and look again")
        )
    found += [
        Obstacle(
            f"it is {newest - view.commit} cluster operations behind",
            "if it does not catch up: POST /cluster/recover at that node",
            node.device,
        )
        for node, view in views
        if newest - view.commit > _COMMITS_APART
    ]
    return found


def standing_still(look: Look, earlier: Look, away: Collection[str] = ()) -> list[Obstacle]:
    """The nodes whose consensus has done nothing between two looks, by their own clocks."""
    before = {node.device: view.last_update for node, view in earlier.views(away)}
    return [
        Obstacle(
            f"its consensus stands still since {view.last_update}", "restart the node", node.device
        )
        for node, view in look.views(away)
        if view.last_update
        and before.get(node.device) == view.last_update
        and len(view.peers) > 1  # one that is alone has nothing to do
    ]


def replicas(look: Look, away: Collection[str] = ()) -> list[Obstacle]:
    """Why not all replicas are Active and at rest, as any of the nodes sees it.

    Args:
        look: what they say.
        away: nodes whose replicas may be in any state.
    """
    return [*_lists(look, away), *_states(look, away), *_moves(look, away)]


def _lists(look: Look, away: Collection[str]) -> list[Obstacle]:
    views = look.views(away)
    names = {name for node, _ in views for name in node.shards}
    return [
        Obstacle(f"it does not have the collection {name}", "wait, and look again", node.device)
        for node, _ in views
        for name in sorted(names - set(node.shards))
    ]


def _states(look: Look, away: Collection[str]) -> list[Obstacle]:
    places: dict[str, set[tuple[str, int]]] = defaultdict(set)
    bad: dict[tuple[str, str], set[tuple[str, int]]] = defaultdict(set)
    peers = look.peers()
    for node, _ in look.views(away):
        for name, shards in node.shards.items():
            for replica in shards.replicas:
                device = peers.get(replica.peer_id, f"peer {replica.peer_id}")
                places[device].add((name, replica.shard_id))
                if not replica.is_active and device not in away:
                    bad[device, replica.state].add((name, replica.shard_id))
    found = []
    for (device, state), which in sorted(bad.items()):
        names = ", ".join(sorted({name for name, _ in which}))
        are = "is" if len(which) == 1 else "are"
        what = f"{len(which)} of {len(places[device])} replicas on {device} {are} {state} ({names})"
        found.append(Obstacle(what, _WAIT))
    return found


def _moves(look: Look, away: Collection[str]) -> list[Obstacle]:
    peers = look.peers()
    moves = {
        (name, each.shard_id, peers.get(each.source, "?"), peers.get(each.target, "?"), each.method)
        for node, _ in look.views(away)
        for name, shards in node.shards.items()
        for each in shards.transfers
    }
    found = [
        Obstacle(
            f"{name}: transfer of shard {shard} {source} → {target}"
            + (f" by {how}" if how else ""),
            "wait until it is done",
        )
        for name, shard, source, target, how in sorted(moves)
        if target not in away
    ]
    resharded = {n for node, _ in look.views(away) for n, s in node.shards.items() if s.resharding}
    found += [
        Obstacle(f"{name} is being resharded", "wait until it is done")
        for name in sorted(resharded)
    ]
    return found


def lost_without(look: Look, away: Collection[str]) -> dict[str, dict[int, list[str]]]:
    """Shards that nobody could read while some nodes are away.

    Returns:
        By collection and shard, the devices that have it at all.
    """
    peers = look.peers()
    lost: dict[str, dict[int, list[str]]] = defaultdict(dict)
    answering = {node.device for node, _ in look.views(away)}
    for node, _ in look.views(away):
        for name, shards in node.shards.items():
            for shard, copies in shards.by_shard.items():
                if not any(r.is_active and peers.get(r.peer_id) in answering for r in copies):
                    lost[name][shard] = [peers.get(r.peer_id, "?") for r in copies]
    return dict(lost)


def single_copies(look: Look) -> dict[str, dict[int, Replica]]:
    """The shards that are on one node only, and where; by collection and shard."""
    singles: dict[str, dict[int, Replica]] = defaultdict(dict)
    for node, _ in look.views():
        for name, shards in node.shards.items():
            for shard, copies in shards.by_shard.items():
                if len(copies) == 1:
                    singles[name][shard] = copies[0]
    return dict(singles)


def shards_on(look: Look) -> Counter[int]:
    """How many shards each peer holds."""
    for node, _ in look.views():
        return Counter(r.peer_id for shards in node.shards.values() for r in shards.replicas)
    return Counter()
