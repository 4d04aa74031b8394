"""Snapshots of collections on nodes. One holds the shards that its node has; aliases are in none.

They are files below the snapshots directory (qdrant lib/storage/src/content_manager/toc/snapshots.rs),
and `checksum` is the file's SHA-256 (lib/collection/src/operations/snapshot_ops.rs).
"""

from __future__ import annotations

from typing import Any

from paisctl.cluster.driver import Journal, Say
from paisctl.cluster.member import Member, checked
from qdrant_driver.api import SNAPSHOT_TIMEOUT, Api, QdrantError, path_of
from qdrant_driver.nodes import SERVICE, SNAPSHOTS, Nodes, api_of
from qdrant_driver.shapes import (
    SnapshotInfo,
    parse_collections,
    parse_snapshot,
    parse_snapshots,
)

KEY = "snapshots"  # in the journal: by device and collection, a snapshot and its version
METADATA = "metadata"


def create(api: Api, collection: str) -> SnapshotInfo:
    """Make a snapshot of what a node has of a collection; this takes as long as it is large."""
    path = path_of(collection, "snapshots")
    return parse_snapshot(api.post(path, params={"wait": True}, timeout=SNAPSHOT_TIMEOUT))


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
                made = create(api, collection)
                verify(member, collection, made)
                entry = {
                    "name": made.name,
                    "size": made.size,
                    "checksum": made.checksum,
                    "version": version,
                }
                journal.keep(KEY, {**kept, member.device: {**of_device, collection: entry}})
