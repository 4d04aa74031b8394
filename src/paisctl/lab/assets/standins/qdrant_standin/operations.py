"""The operations that change the agreed document.

`changed` is pure: it never touches the document it is given.
"""

from __future__ import annotations

import copy

from qdrant_standin import replicas
from qdrant_standin.metadata import (
    Document,
    Operation,
    RefusedError,
    ShardMap,
    collection_named,
)


def changed(document: Document, operation: Operation, index: int) -> Document:
    """`document` after `operation`, whose place in the log is `index`; raises `RefusedError`."""
    document = copy.deepcopy(document)
    match operation["kind"]:
        case "add_peer":
            document["peers"][str(operation["peer"])] = operation["uri"]
        case "promote_peer":
            document["voters"] = sorted({*document["voters"], operation["peer"]})
        case "remove_peer":
            _remove_peer(document, operation["peer"], index)
        case "create_collection":
            _create_collection(document, operation, index)
        case "update_collection":
            _update_collection(document, operation)
        case "delete_collection":
            _delete_collection(document, operation["name"])
        case "change_aliases":
            for action in operation["actions"]:
                _change_alias(document, action)
        case _:
            replicas.change(collection_named(document, operation["name"]), operation, index)
    return document


def _remove_peer(document: Document, peer: int, index: int) -> None:
    if str(peer) not in document["peers"]:
        raise RefusedError(404, f"Not found: Peer {peer} does not exist")
    del document["peers"][str(peer)]
    document["voters"] = [voter for voter in document["voters"] if voter != peer]
    for collection in document["collections"].values():
        for shard, holders in collection["shards"].items():
            if str(peer) in holders:
                replicas.remove(collection, int(shard), peer, index)


def _create_collection(document: Document, operation: Operation, index: int) -> None:
    name, wanted = operation["name"], operation["collection"]
    if name in document["collections"]:
        raise RefusedError(409, f"Wrong input: Collection `{name}` already exists!")
    if name in document["aliases"]:
        raise RefusedError(
            409,
            f"Wrong input: Can't create collection with name {name}. "
            "Alias with the same name already exists",
        )
    # A node that runs alone, without a cluster, keeps no list of peers.
    peers = sorted(map(int, document["peers"])) or [operation["peer"]]
    shard_number = wanted["shard_number"] or len(peers)
    document["collections"][name] = {
        "created": index,
        "vectors": wanted["vectors"],
        "shard_number": shard_number,
        "replication_factor": wanted["replication_factor"],
        "write_consistency_factor": wanted["write_consistency_factor"],
        "shards": _placed(shard_number, wanted["replication_factor"], peers),
        "transfers": [],
        "epochs": dict.fromkeys(map(str, range(shard_number)), index),
    }


def _placed(shard_number: int, replication_factor: int, peers: list[int]) -> ShardMap:
    """Spread replicas evenly: each goes to the peer that has the fewest, on as many as there are."""
    load = dict.fromkeys(peers, 0)
    shards: ShardMap = {}
    for shard in range(shard_number):
        chosen = sorted(peers, key=lambda peer: (load[peer], peer))[:replication_factor]
        for peer in chosen:
            load[peer] += 1
        shards[str(shard)] = {str(peer): "Active" for peer in chosen}
    return shards


def _update_collection(document: Document, operation: Operation) -> None:
    collection, wanted = collection_named(document, operation["name"]), operation["parameters"]
    for name in ("replication_factor", "write_consistency_factor"):
        if name in wanted:
            collection[name] = wanted[name]


def _delete_collection(document: Document, name: str) -> None:
    document["collections"].pop(name, None)
    document["aliases"] = {
        alias: target for alias, target in document["aliases"].items() if target != name
    }


def _change_alias(document: Document, action: dict[str, dict[str, str]]) -> None:
    aliases = document["aliases"]
    match action:
        case {"create_alias": {"collection_name": collection, "alias_name": alias}}:
            collection_named(document, collection)
            if alias in document["collections"]:
                raise RefusedError(409, f"Wrong input: Collection `{alias}` already exists!")
            aliases[alias] = collection
        case {"delete_alias": {"alias_name": alias}}:
            aliases.pop(alias, None)
        case {"rename_alias": {"old_alias_name": old, "new_alias_name": new}}:
            if old not in aliases:
                raise RefusedError(404, f"Not found: Alias {old} does not exists!")
            aliases[new] = aliases.pop(old)
        case _:
            raise RefusedError(400, f"Format error in JSON body: unknown alias action {action}")
