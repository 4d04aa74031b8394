"""Brings collections back into a running cluster, node by node.

A node that takes a snapshot with `priority=snapshot` has the shards in it from then on; other Active
replicas of them are set Dead and filled again from it, or removed where there are too many; a collection
that is missing is made from the snapshot's configuration; vectors and the number of shards have to be
those of one that exists (qdrant lib/storage/src/content_manager/snapshots/recover.rs). So every shard is
brought back once, and its other replicas follow. What was uploaded stays in the node's snapshots
(src/actix/api/snapshot_api.rs, do_save_uploaded_snapshot) until it is deleted.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, closing

import httpx

from paisctl.cluster.backup_driver import Kept, Replacement, Stored
from paisctl.cluster.driver import Obstacle, Say
from qdrant_driver import whole
from qdrant_driver.api import SNAPSHOT_TIMEOUT, Api, QdrantError, Unreachable, path_of
from qdrant_driver.nodes import Look, Nodes
from qdrant_driver.restore_plan import count
from qdrant_driver.shapes import parse_aliases
from qdrant_driver.stored import StoredCollection, collections_in
from qdrant_driver.versions import parse_version

_PATIENCE = (
    4 * 3600.0
)  # seconds for a node to take a snapshot in, and for all replicas to be filled
_STUCK_AFTER = 60.0  # seconds in which a replica has been in a recovery that nobody works on
_AGREED_WITHIN = 30.0  # seconds for all nodes to count the same
# Pull request 8179 of Qdrant: replicas of the node that are not in a snapshot are put back to what they were.
_PUTS_BACK = (1, 17, 1)
_RECOVERING = ("Partial", "ManualRecovery")


class Restoring:
    """One backup that is being brought back.

    Args:
        nodes: those that answered.
        stored: the backup.
        hold: seconds for which all replicas have to stay Active: they are set Dead a little later.
    """

    def __init__(self, nodes: Nodes, stored: Stored, hold: float) -> None:
        self._nodes = nodes
        self._stored = stored
        self._hold = hold

    def restore(self, replacement: Replacement, say: Say) -> str:
        """Bring one collection back; how many points it has then.

        Raises:
            QdrantError: it did not come back whole.
        """
        name = replacement.name
        for piece in replacement.pieces:
            say(f"{piece.device}: takes {name}, {len(piece.about['shards'])} shards")
            with self._nodes.api(piece.device) as api:
                self._upload(api, name, piece, say)
            say(f"{name}: waits until all replicas have it")
            settling = _Settling(self._nodes, name, self._hold)
            self._nodes.wait(settling.missing, _PATIENCE, f"all replicas of {name} Active")
            settling.raise_if_stuck()
        self._put_aliases(collections_in(self._stored, [name])[name], say)
        return self._counted(name)

    def _counted(self, name: str) -> str:
        """How many points all nodes find; each asks the replicas that it has itself."""
        counts: dict[str, int] = {}

        def differing() -> str:
            for device in self._nodes.devices:
                counts[device] = count(self._nodes, name, device)
            each = ", ".join(f"{device} {number}" for device, number in counts.items())
            return each if len(set(counts.values())) > 1 else ""

        try:
            self._nodes.wait(differing, _AGREED_WITHIN, f"that all nodes count {name} alike")
        except QdrantError as error:
            raise QdrantError(
                f"{name} is back; {error.message}",
                "stop what writes to it and count again, or restore it again",
            ) from error
        return f"{counts[self._nodes.devices[0]]} points"

    def _upload(self, api: Api, name: str, piece: Kept, say: Say) -> None:
        """Have a node take a snapshot, and remove the file of it, which Qdrant keeps among its own.

        What has been sent is taken in also when nobody waits for the answer (src/actix/helpers.rs,
        time_or_accept), and the file is needed for that.
        """
        file = f"restore-{piece.sha256[:16]}.snapshot"
        is_sent = False

        def content() -> Generator[bytes]:
            nonlocal is_sent
            with closing(self._stored.chunks(piece)) as chunks:
                yield from chunks
            is_sent = True
            say(f"{piece.device}: has all of it, and takes it in")

        keeps = False
        try:
            api.upload(
                path_of(name, "snapshots", "upload"),
                file,
                content(),
                piece.size,
                _PATIENCE,
                priority="snapshot",
                wait=True,
                checksum=piece.sha256,
            )
        except Unreachable as error:
            keeps = is_sent
            if not is_sent:
                raise
            raise QdrantError(
                f"{error.message}; it may still be taking {name} in",
                f"wait until its replicas are at rest, then restore {name} again; "
                f"{file} stays among its snapshots",
            ) from error
        finally:
            if not keeps:
                _remove(api, name, file, say)

    def _put_aliases(self, collection: StoredCollection, say: Say) -> None:
        with self._api() as api:
            existing = parse_aliases(api.get("/aliases"))
            missing = [alias for alias in collection.aliases if alias not in existing]
            if not missing:
                return
            actions = [
                {"create_alias": {"alias_name": alias, "collection_name": collection.name}}
                for alias in missing
            ]
            api.post("/collections/aliases", {"actions": actions})
        say(f"{collection.name}: also called {', '.join(missing)} again")

    def _api(self) -> AbstractContextManager[Api]:
        return self._nodes.api(self._nodes.devices[0])


class _Settling:
    """Watches the replicas of what was just brought back, until all have been whole for a while.

    Args:
        nodes: all of them.
        name: the collection.
        hold: seconds.
    """

    def __init__(self, nodes: Nodes, name: str, hold: float) -> None:
        self._nodes = nodes
        self._name = name
        self._hold = hold
        self._whole_since: float | None = None
        self._left_since: dict[str, float] = {}
        self._stuck: QdrantError | None = None

    def missing(self) -> str:
        """What is not whole yet; empty at the end, also when it would never be."""
        look = self._nodes.look(about=lambda name: name == self._name)
        wrong = [*whole.consensus(look), *whole.replicas(look)]
        if not wrong and not any(node.shards for node in look.nodes.values()):
            wrong = [Obstacle(f"{self._name} is not there")]
        if wrong:
            self._whole_since = None
            return "" if self._is_stuck(look) else str(wrong[0])
        if self._whole_since is None:
            self._whole_since = look.at
        held = look.at - self._whole_since
        return "" if held >= self._hold else f"all Active for {held:.0f} s"

    def raise_if_stuck(self) -> None:
        """Raises QdrantError when a replica would never be whole."""
        if self._stuck:
            raise self._stuck

    def _is_stuck(self, look: Look) -> bool:
        left = _left(look)
        self._left_since = {each: self._left_since.get(each, look.at) for each in left}
        stuck = [each for each, at in self._left_since.items() if look.at - at >= _STUCK_AFTER]
        if stuck:
            self._stuck = QdrantError(
                f"{self._name}: {', '.join(stuck)}, and nothing repairs it",
                _way_out(look, self._name),
            )
        return bool(stuck)


def _left(look: Look) -> list[str]:
    """The replicas in a recovery that nobody works on, as all nodes see them."""
    seen: list[set[str]] = []
    for node, _ in look.views():
        for shards in node.shards.values():
            filled = {(each.shard_id, each.target) for each in shards.transfers}
            seen.append(
                {
                    f"shard {each.shard_id} on {look.device_of(each.peer_id)} stays {each.state}"
                    for each in shards.replicas
                    if each.state in _RECOVERING and (each.shard_id, each.peer_id) not in filled
                }
            )
    return sorted(set.intersection(*seen)) if seen else []


def _way_out(look: Look, name: str) -> str:
    versions = [parse_version(node.version) for node, _ in look.views()]
    if any(each and (each.major, each.minor, each.patch) < _PUTS_BACK for each in versions):
        return f"Qdrant does so before 1.17.1: upgrade it, delete {name}, and restore it again"
    return f"that node's log says why; if it stays so: delete {name}, and restore it again"


def _remove(api: Api, name: str, file: str, say: Say) -> None:
    try:
        api.delete(path_of(name, "snapshots", file), SNAPSHOT_TIMEOUT)
    except QdrantError as error:
        if error.status != httpx.codes.NOT_FOUND:
            say(f"{error.message}; {file} stays among its snapshots")
