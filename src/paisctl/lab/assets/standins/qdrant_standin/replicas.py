"""The states of replicas and the transfers between them, as changes of one collection's metadata.

Names of states and methods are those of Qdrant's replica_set_state.rs and its shard transfers; which
state a transfer begins in, and what an aborted one leaves behind, are as there.
"""

from __future__ import annotations

from typing import Any

from qdrant_standin.metadata import Collection, Operation, RefusedError, Transfer

ACTIVE = "Active"
DEAD = "Dead"
RESTORING = "ManualRecovery"
FIRST_STATES = {"stream_records": "Partial", "snapshot": "Recovery", "wal_delta": "Recovery"}
# States in which a replica is given every new write.
WRITABLE = {ACTIVE, *FIRST_STATES.values()}
# States that do not keep a node from being ready (`is_healthy` of replica_set_state.rs).
HEALTHY = {ACTIVE, RESTORING}


def active(collection: Collection, shard: int | str) -> list[int]:
    """The peers that hold all points of a shard."""
    holders = collection["shards"][str(shard)]
    return [int(peer) for peer, state in holders.items() if state == ACTIVE]


def change(collection: Collection, operation: Operation, index: int) -> None:
    """Carry out an operation on replicas; raises `RefusedError`."""
    match operation["kind"]:
        case "set_replica_state":
            set_state(collection, operation["shard"], operation["peer"], operation["state"], index)
        case "drop_replica":
            _drop(collection, operation["shard"], operation["peer"], index)
        case "start_transfer":
            _start(collection, operation["transfer"], index)
        case "finish_transfer":
            _finish(collection, operation["transfer"], index)
        case "abort_transfer":
            _abort(collection, _found(collection, operation["transfer"]), index)
        case "begin_restore":
            for shard in operation["shards"]:
                set_state(collection, shard, operation["peer"], RESTORING, index)
        case "finish_restore":
            for shard in operation["shards"]:
                _restored(collection, shard, operation["peer"], operation["priority"], index)
        case kind:
            raise RefusedError(400, f"Bad request: unknown operation {kind}")


def set_state(collection: Collection, shard: int, peer: int, state: str, index: int) -> None:
    """Give a replica another state, which ends its transfers; the last active one cannot die."""
    holders = _holders(collection, shard)
    if holders.get(str(peer)) == state:
        return
    if state == DEAD and active(collection, shard) == [peer]:
        raise RefusedError(
            400,
            f"Bad request: Cannot deactivate the last active replica {peer} of shard {shard}",
        )
    if state == DEAD and str(peer) not in holders:
        return  # dropped meanwhile
    holders[str(peer)] = state
    _end_transfers(collection, shard, peer, index)
    collection["epochs"][str(shard)] = index


def remove(collection: Collection, shard: int, peer: int, index: int) -> None:
    """Remove a replica, be it the last one."""
    del collection["shards"][str(shard)][str(peer)]
    _end_transfers(collection, shard, peer, index)
    collection["epochs"][str(shard)] = index


def _holders(collection: Collection, shard: int) -> dict[str, str]:
    try:
        return collection["shards"][str(shard)]
    except KeyError:
        raise RefusedError(400, f"Bad request: Shard {shard} does not exist") from None


def _drop(collection: Collection, shard: int, peer: int, index: int) -> None:
    if str(peer) not in _holders(collection, shard):
        raise RefusedError(400, f"Wrong input: Shard {shard} has no replica on peer {peer}")
    if active(collection, shard) in ([], [peer]):
        raise RefusedError(
            400,
            f"Bad request: Shard {shard} must have at least one active replica after removing {peer}",
        )
    remove(collection, shard, peer, index)


def _start(collection: Collection, wanted: dict[str, Any], index: int) -> None:
    shard, source, target = wanted["shard_id"], wanted["from"], wanted["to"]
    holders = _holders(collection, shard)
    if source not in active(collection, shard):
        raise RefusedError(400, f"Bad request: Shard {shard} is not active on peer {source}")
    for other in collection["transfers"]:
        if other["shard_id"] == shard and {source, target} & {other["from"], other["to"]}:
            raise RefusedError(
                400,
                f"Bad request: Shard {shard} is already involved in transfer "
                f"{other['from']} -> {other['to']}",
            )
    if holders.get(str(target)) == ACTIVE:
        raise RefusedError(400, f"Bad request: Shard {shard} is already active on peer {target}")
    holders[str(target)] = FIRST_STATES[wanted["method"]]
    transfer: Transfer = {
        "shard_id": shard,
        "from": source,
        "to": target,
        "sync": wanted["sync"],
        "method": wanted["method"],
        "started": index,
    }
    collection["transfers"].append(transfer)
    collection["epochs"][str(shard)] = index


def _finish(collection: Collection, wanted: dict[str, Any], index: int) -> None:
    transfer = _found(collection, wanted)
    collection["transfers"].remove(transfer)
    collection["shards"][str(transfer["shard_id"])][str(transfer["to"])] = ACTIVE
    if not transfer["sync"]:
        remove(collection, transfer["shard_id"], transfer["from"], index)
    collection["epochs"][str(transfer["shard_id"])] = index


def _abort(collection: Collection, transfer: Transfer, index: int) -> None:
    shard, target = str(transfer["shard_id"]), str(transfer["to"])
    collection["transfers"].remove(transfer)
    if transfer["sync"]:
        collection["shards"][shard][target] = DEAD
    else:
        del collection["shards"][shard][target]
    collection["epochs"][shard] = index


def _found(collection: Collection, wanted: dict[str, Any]) -> Transfer:
    """The transfer under way that has all fields of `wanted`."""
    for transfer in collection["transfers"]:
        if wanted.items() <= transfer.items():
            return transfer
    raise RefusedError(
        404, f"Not found: Shard transfer {wanted['from']} -> {wanted['to']} does not exist"
    )


def _end_transfers(collection: Collection, shard: int, peer: int, index: int) -> None:
    """End what `peer`, whose replica has just changed, was receiving or sending."""
    for transfer in list(collection["transfers"]):
        if transfer["shard_id"] != shard or peer not in (transfer["from"], transfer["to"]):
            continue
        if transfer["to"] == peer:
            collection["transfers"].remove(transfer)
        else:
            _abort(collection, transfer, index)


def _restored(collection: Collection, shard: int, peer: int, priority: str, index: int) -> None:
    """Make `peer`, which has put a snapshot in place of its replica, agree with the others.

    What each priority does is as in Qdrant's snapshots/recover.rs.
    """
    others = [other for other in active(collection, shard) if other != peer]
    if priority == "replica" and others:
        wanted = {"shard_id": shard, "from": others[0], "to": peer}
        _start(collection, {**wanted, "sync": True, "method": "stream_records"}, index)
        return
    set_state(collection, shard, peer, ACTIVE, index)
    if priority == "snapshot":
        surplus = max(0, len(others) - (collection["replication_factor"] - 1))
        for other in others[:surplus]:
            remove(collection, shard, other, index)
        for other in others[surplus:]:
            set_state(collection, shard, other, DEAD, index)
