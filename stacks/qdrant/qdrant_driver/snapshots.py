"""Snapshots of collections on nodes. One holds the shards that its node has; aliases are in none.

They are files below the snapshots directory (qdrant lib/storage/src/content_manager/toc/snapshots.rs),
and `checksum` is the file's SHA-256 (lib/collection/src/operations/snapshot_ops.rs).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from paisctl.cluster.driver import Journal, Say
from paisctl.cluster.member import Member, checked
from qdrant_driver.api import SNAPSHOT_TIMEOUT, Api, QdrantError, Unreachable, path_of
from qdrant_driver.nodes import SERVICE, SNAPSHOTS, Nodes, api_of
from qdrant_driver.shapes import (
    SnapshotInfo,
    parse_collections,
    parse_running_snapshots,
    parse_snapshot,
    parse_snapshots,
)

KEY = "snapshots"  # in the journal: by device and collection, a snapshot and its version
METADATA = "metadata"
ASKED = "asked_for"  # in the journal: the `device` and `collection` of a snapshot, and those `known` before
_POLL = 5.0  # seconds
_SILENCE = 300.0  # seconds without an answer, after which a node is given up


def create(api: Api, collection: str, sleep: Callable[[float], None] = time.sleep) -> SnapshotInfo:
    """Make a snapshot of what a node has of a collection; this takes as long as it is large.

    It is asked to wait, for then it says why it fails. It goes on also when the answer does not come,
    because that takes longer than half an hour or the connection breaks (qdrant src/actix/helpers.rs,
    `time_or_accept`), and the snapshot is listed when it is whole.
    """
    path = path_of(collection, "snapshots")
    known = names(api, collection)
    try:
        return parse_snapshot(api.post(path, params={"wait": True}, timeout=SNAPSHOT_TIMEOUT))
    except Unreachable:
        if made := finished(api, collection, known, sleep):
            return made
        raise


def finished(
    api: Api,
    collection: str,
    known: Collection[str],
    sleep: Callable[[float], None] = time.sleep,
) -> SnapshotInfo | None:
    """The snapshot that a node was asked for when it had those `known`; waits while it is being made.

    Returns:
        None when there is none, and none is being made: it was never begun, has failed, or the node was
        restarted.

    Raises:
        QdrantError: the node says nothing for five minutes.
    """
    silent = 0.0
    while True:
        sleep(_POLL)  # it may have been asked for just now
        try:
            is_running = _is_being_made(api, collection)  # before the list: it may end in between
            new = [each for each in listed(api, collection) if each.name not in known]
        except Unreachable:
            if (silent := silent + _POLL) > _SILENCE:
                raise
        else:
            silent = 0.0
            made = min(new, key=lambda each: each.name, default=None)
            # Its checksum is there a moment later than itself.
            if not is_running or (made and made.checksum):
                return made


def _is_being_made(api: Api, collection: str) -> bool:
    """Whether a node makes a snapshot of a collection right now; one before 1.16 does not say so."""
    return parse_running_snapshots(api.get("/telemetry", details_level=2)).get(collection, 0) > 0


def names(api: Api, collection: str) -> set[str]:
    """The names of the snapshots of a collection on a node."""
    return {each.name for each in listed(api, collection)}


def listed(api: Api, collection: str) -> list[SnapshotInfo]:
    """The snapshots of a collection on a node."""
    return parse_snapshots(api.get(path_of(collection, "snapshots")))


def delete(api: Api, collection: str, name: str) -> None:
    """Remove a snapshot from a node."""
    api.delete(path_of(collection, "snapshots", name), wait=True)


def file_of(collection: str, name: str) -> str:
    """Where a snapshot is in the container."""
    return f"{SNAPSHOTS}/{collection}/{name}"


def verify(member: Member, collection: str, snapshot: SnapshotInfo) -> None:
    """Read the file in the node's container and compare it with what the API says about it.

    Raises:
        QdrantError: it is not the same.
        HostError: it cannot be read.
    """
    file = file_of(collection, snapshot.name)
    what = f"{member.device}: sha256sum {file}"
    output = checked(member.run(SERVICE, ["sha256sum", file]), what)
    found = output.decode("ascii", "replace").split(maxsplit=1)[0].lstrip("\\")
    if found != snapshot.checksum:
        raise QdrantError(
            f"{member.device}: snapshot {snapshot.name} of {collection} is damaged: its SHA-256 is "
            f"{found}, Qdrant says {snapshot.checksum}",
            f"look at the disk of {member.device}; or go without: --no-snapshot",
        )


def metadata(api: Api) -> dict[str, Any]:
    """What is in no snapshot, as a node tells it: version, aliases, configurations, shard maps.

    JSON: `version`, `aliases` (openapi.json, CollectionsAliasesResponse), and `collections`, by name,
    with `config` (CollectionConfig) and `cluster` (CollectionClusterInfo).
    """
    names = parse_collections(api.get("/collections"))
    return {
        "version": api.version(),
        "aliases": api.get("/aliases")["aliases"],
        "collections": {
            name: {
                "config": api.get(path_of(name))["config"],
                "cluster": api.get(path_of(name, "cluster")),
            }
            for name in names
        },
    }


def keep_metadata(nodes: Nodes, journal: Journal) -> None:
    """Keep what every node says about itself, once; the configurations of collections as one has them."""
    kept = dict(journal.get(METADATA, {}))
    for member in nodes.members:
        if member.device not in kept:
            with api_of(member) as api:
                found = metadata(api)
            if kept:  # consensus keeps configurations equal, and the journal should stay small
                found["collections"] = {
                    name: {"cluster": each["cluster"]}
                    for name, each in found["collections"].items()
                }
            kept[member.device] = found
    if kept != journal.get(METADATA, {}):
        journal.keep(METADATA, kept)


def take_all(nodes: Nodes, journal: Journal, say: Say) -> None:
    """Make and verify a snapshot of every collection on every node, one at a time.

    What the journal has is not made again; nothing is ever removed.
    """
    for member in nodes.members:
        with api_of(member) as api:
            version = api.version()
            for collection in parse_collections(api.get("/collections")):
                kept: dict[str, Any] = journal.get(KEY, {})
                of_device = kept.get(member.device, {})
                if collection in of_device:
                    continue
                say(f"{member.device}: making a snapshot of {collection}")
                made = _create_once(api, collection, nodes.sleep, journal)
                try:
                    verify(member, collection, made)
                except QdrantError:
                    journal.keep(ASKED, {})  # another one is made the next time
                    raise
                entry = {
                    "name": made.name,
                    "size": made.size,
                    "checksum": made.checksum,
                    "version": version,
                }
                journal.keep(KEY, {**kept, member.device: {**of_device, collection: entry}})


def _create_once(
    api: Api, collection: str, sleep: Callable[[float], None], journal: Journal
) -> SnapshotInfo:
    """Make a snapshot, or take the one that was asked for when the rollout broke off: it went on."""
    what = {"device": api.device, "collection": collection}
    asked = journal.get(ASKED, {})
    if what.items() <= asked.items() and (made := finished(api, collection, asked["known"], sleep)):
        return made
    journal.keep(ASKED, {**what, "known": sorted(names(api, collection))})
    return create(api, collection, sleep)
