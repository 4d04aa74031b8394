"""All reasons not to begin a rollout."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from paisctl.cluster.driver import Obstacle, Task
from qdrant_driver import whole
from qdrant_driver.disk import Disk
from qdrant_driver.nodes import Look
from qdrant_driver.versions import differ, parse_version, version_obstacles

_QUORATE = 3  # the fewest nodes of which one may be away while the others still are a majority


def reasons(
    look: Look,
    earlier: Look,
    disks: Mapping[str, Disk],
    task: Task,
    away: Collection[str] = (),
) -> list[Obstacle]:
    """Why no node may be taken away.

    Args:
        look: with the health of the collections.
        earlier: a look some seconds before.
        disks: of the nodes whose disk could be read.
        task: what is planned.
        away: nodes that need not answer; also those that could not even be asked.
    """
    unasked = set(away) - set(look.nodes)
    nodes = len(look.nodes) + len(unasked)
    if len(look.strangers()) <= len(unasked):
        away = {*away, *look.strangers()}  # they are the nodes that could not be asked
    return [
        *whole.consensus(look, away),
        *whole.standing_still(look, earlier, away),
        *_versions(look, disks, task, away),
        *whole.replicas(look, away),
        *_copies(look, task, away, nodes),
        *health(look, away),
        *_space(disks, task),
    ]


def health(look: Look, away: Collection[str] = ()) -> list[Obstacle]:
    """Collections that are not well. Yellow and grey only say that work is going on or waits."""
    found = {}
    for node, _ in look.views(away):
        for name, view in node.collections.items():
            if view.status == "red":
                what = f"{name} is red: operations on it have failed"
                found[what] = Obstacle(what, f"the log of {node.device} and the others says which")
            if view.optimizer_error:
                what = f"{name}: its optimizer has failed: {view.optimizer_error}"
                found[what] = Obstacle(
                    what, "mend that first: often the disk or the memory is full"
                )
    return list(found.values())


def _versions(
    look: Look, disks: Mapping[str, Disk], task: Task, away: Collection[str]
) -> list[Obstacle]:
    running = {node.device: node.version for node, _ in look.views(away)}
    if task.is_restart:
        same = len(set(running.values())) <= 1
        return [] if same else [differ(running, "finish the upgrade first: paisctl rollout")]
    found = version_obstacles(task.target, running)
    wanted = parse_version(task.target)
    if wanted is None:
        return found
    for device, disk in disks.items():
        if wanted.is_unprivileged != (disk.uid != 0):
            now = "root" if disk.uid == 0 else f"uid {disk.uid}"
            what = f"it runs as {now}, {task.target} does not: it could not write what is there"
            hint = "stay with the same kind of image, or change the owner of both volumes first"
            found.append(Obstacle(what, hint, device))
    return found


def _copies(look: Look, task: Task, away: Collection[str], nodes: int) -> list[Obstacle]:
    """Collections that would be away, or could not be written, while a node is."""
    found = []
    # Of a node that was taken out to be rebuilt all shards are single until it is filled again; `before`
    # sees to it that nobody else goes meanwhile.
    copied = bool(away) or (task.replicate_first and nodes > 1)
    singles = {} if copied else whole.single_copies(look)
    for name, shards in sorted(singles.items()):
        if name not in task.accept_downtime:
            devices = ", ".join(sorted({look.device_of(r.peer_id) for r in shards.values()}))
            numbers = ", ".join(map(str, sorted(shards)))
            what = f"{name}: shard {numbers} has no second replica (on {devices})"
            hint = f"--replicate-first, or --accept-downtime {name}"
            found.append(Obstacle(what, hint if nodes > 1 else f"--accept-downtime {name}"))
    if away:
        found += unreadable(look, task, away, skip=singles)
    if nodes == _QUORATE - 1:
        names = {name for node, _ in look.views(away) for name in node.shards}
        found += [
            Obstacle(
                f"{name}: writes fail while one of {nodes} nodes is away, there is no majority",
                f"add a third node, or --accept-downtime {name}",
            )
            for name in sorted(names - task.accept_downtime - set(singles))
        ]
    return found


def unreadable(
    look: Look, task: Task, away: Collection[str], skip: Collection[str] = ()
) -> list[Obstacle]:
    """Collections that nobody could read while some nodes are away."""
    lost = whole.lost_without(look, away)
    return [
        Obstacle(
            f"{name}: no other node has shard {', '.join(map(str, sorted(shards)))} Active",
            "wait until the others have it",
        )
        for name, shards in sorted(lost.items())
        if name not in task.accept_downtime and name not in skip
    ]


def _space(disks: Mapping[str, Disk], task: Task) -> list[Obstacle]:
    return [
        obstacle
        for device, disk in disks.items()
        for obstacle in disk.obstacles(device, takes_snapshots=task.takes_snapshots)
    ]
