"""All nodes of a cluster, and what each of them says about itself and about the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import httpx

from paisctl.cluster.asking import ask_all
from paisctl.cluster.driver import Obstacle
from paisctl.cluster.member import Member
from paisctl.errors import PaisctlError
from qdrant_driver.api import Api, QdrantError, path_of
from qdrant_driver.shapes import (
    ClusterView,
    CollectionView,
    ShardMap,
    address,
    parse_cluster,
    parse_collection,
    parse_collections,
    parse_shard_map,
)

SERVICE = "qdrant"
STORAGE = "/qdrant/storage"
SNAPSHOTS = "/qdrant/snapshots"


@dataclass(frozen=True, slots=True)
class NodeView:
    """What one node says; nothing but `problem` where it says nothing.

    Attributes:
        problem: the first thing that it could not say.
        address: the one by which its peers know it.
        shards: where it sees the shards of each collection.
        collections: only if they were asked for.
    """

    device: str
    address: str
    problem: Obstacle | None = None
    version: str = ""
    cluster: ClusterView | None = None
    shards: Mapping[str, ShardMap] = field(default_factory=dict)
    collections: Mapping[str, CollectionView] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """What all nodes said at about the same time. `at` counts seconds, of no particular clock."""

    nodes: Mapping[str, NodeView]
    at: float

    def views(self, away: Collection[str] = ()) -> list[tuple[NodeView, ClusterView]]:
        """The nodes that answered, without those that are `away`."""
        return [
            (node, node.cluster)
            for node in self.nodes.values()
            if node.cluster is not None and node.device not in away
        ]

    def problems(self, away: Collection[str] = ()) -> list[Obstacle]:
        """Why nodes do not answer that should."""
        found = [node.problem for node in self.nodes.values() if node.device not in away]
        return [problem for problem in found if problem]

    def peers(self) -> dict[int, str]:
        """The device of each peer that somebody knows, by id; `peer 7` where it is none of ours."""
        devices = {node.address: node.device for node in self.nodes.values()}
        return {
            peer: devices.get(uri, f"peer {peer}")
            for _, view in self.views()
            for peer, uri in view.peers.items()
        }

    def strangers(self) -> set[str]:
        """The names of the peers that are none of ours."""
        return set(self.peers().values()) - set(self.nodes)

    def device_at(self, uri: str) -> str:
        """The name of the peer at an address, for messages."""
        peers = self.peers()
        known = {at: peers[peer] for _, view in self.views() for peer, at in view.peers.items()}
        return known.get(uri, uri)

    def device_of(self, peer: int) -> str:
        """The name of a peer for messages."""
        return self.peers().get(peer, f"peer {peer}")


@dataclass(frozen=True)
class Nodes:
    """The members, asked through their REST API.

    Args:
        members: in the inventory's order.
        sleep: waits for some seconds.
    """

    members: Sequence[Member]
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    @property
    def devices(self) -> list[str]:
        """All of them."""
        return [member.device for member in self.members]

    def member(self, device: str) -> Member:
        """The member on a device."""
        return next(member for member in self.members if member.device == device)

    def without(self, device: str) -> list[Member]:
        """The other members."""
        return [member for member in self.members if member.device != device]

    def address(self, device: str) -> str:
        """The address by which its peers know a node."""
        return address(self.member(device).url("p2p"))

    @contextmanager
    def api(self, device: str) -> Iterator[Api]:
        """A node's API, for as long as the context lasts."""
        with api_of(self.member(device)) as api:
            yield api

    def look(
        self,
        away: Collection[str] = (),
        *,
        collections: bool = False,
        about: Callable[[str], bool] = lambda _: True,
    ) -> Look:
        """Ask all nodes at once.

        Args:
            away: those that are not asked.
            collections: ask for the health of each collection, too.
            about: says of a collection's name whether it is asked about at all.
        """
        asked = [member for member in self.members if member.device not in away]
        nodes = ask_all(asked, partial(_view, collections=collections, about=about))
        absent = {
            device: NodeView(device, self.address(device))
            for device in self.devices
            if device in away
        }
        return Look({**nodes, **absent}, self.clock())

    def answering(self, away: Collection[str] = (), *, collections: bool = False) -> NodeView:
        """The first node that answers.

        Raises:
            QdrantError: none does.
        """
        look = self.look(away, collections=collections)
        if views := look.views(away):
            return views[0][0]
        problems = look.problems(away)
        raise QdrantError(f"no node answers: {problems[0]}" if problems else "there are no nodes")

    def wait(self, missing: Callable[[], str], seconds: float, what: str) -> None:
        """Wait until nothing is missing.

        Args:
            missing: what it still waits for; empty when all is there. Errors count as waiting.
            seconds: how long.
            what: for the error.

        Raises:
            QdrantError: it took too long.
        """
        deadline = self.clock() + seconds
        while True:
            try:
                reason = missing()
            except PaisctlError as error:
                reason = error.message
            if not reason:
                return
            if self.clock() >= deadline:
                raise QdrantError(f"{what} did not happen within {seconds:g} s: {reason}")
            self.sleep(2.0)


@contextmanager
def api_of(member: Member) -> Iterator[Api]:
    """A member's API, for as long as the context lasts."""
    key = member.setting("api_key")
    with member.client("rest") as client:
        yield Api(client, str(key or ""), member.device)


def _view(member: Member, *, collections: bool, about: Callable[[str], bool]) -> NodeView:
    view = NodeView(member.device, address(member.url("p2p")))
    try:
        with api_of(member) as api:
            version, cluster = api.version(), parse_cluster(api.get("/cluster"))
            view = replace(view, version=version, cluster=cluster)
            for name in filter(about, parse_collections(api.get("/collections"))):
                view = _with_collection(view, api, name, collections=collections)
    except PaisctlError as error:
        return _with_problem(view, error)
    return view


def _with_collection(view: NodeView, api: Api, name: str, *, collections: bool) -> NodeView:
    """What a node says about one collection; what it cannot say does not hide the rest."""
    try:
        shards = parse_shard_map(api.get(path_of(name, "cluster")))
        view = replace(view, shards={**view.shards, name: shards})
        if collections:
            details = parse_collection(api.get(path_of(name)))
            view = replace(view, collections={**view.collections, name: details})
    except QdrantError as error:
        if not error.status:  # it does not answer any more
            raise
        if error.status != httpx.codes.NOT_FOUND:  # deleted since it was listed
            return _with_problem(view, error)
    return view


def _with_problem(view: NodeView, error: PaisctlError) -> NodeView:
    what = error.message.removeprefix(f"{view.device}: ")
    return replace(view, problem=view.problem or Obstacle(what, error.hint or "", view.device))
