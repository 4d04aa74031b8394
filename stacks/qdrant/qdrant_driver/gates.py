"""What must hold after a node was changed: one method for each gate of `bundle.yaml`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from paisctl.cluster.driver import Answer, Ask, Obstacle, Task
from qdrant_driver import whole
from qdrant_driver.nodes import Look, Nodes
from qdrant_driver.preflight import health
from qdrant_driver.versions import parse_version

# Replicas count by estimate: a segment that is being optimized counts updated points twice, and points
# come in between two questions (qdrant lib/collection/src/collection/collection_ops.rs, cluster_info;
# the estimate is exact at rest). This is to find a replica that is empty or broke off half way.
_TOLERATED_SHARE = 0.05
_TOLERATED_POINTS = 100
_BEAT = 1.0  # seconds in which consensus does something, many times over: a tick is 0.1 s


@dataclass
class Gates:
    """The gates of one node. What a gate found is in its answer, shortly."""

    nodes: Nodes
    device: str
    task: Task
    _earlier: Look | None = None

    def all(self) -> Mapping[str, Ask]:
        """By name."""
        return {
            "version": self.version,
            "readyz": self.readyz,
            "cluster": self.cluster,
            "replicas": self.replicas,
            "status": self.status,
            "counts": self.counts,
        }

    def version(self) -> Answer:
        """The process is of the version that is wanted; after a restart, of any."""
        with self.nodes.api(self.device) as api:
            running = api.version()
        if self.task.is_restart or parse_version(running) == parse_version(self.task.target):
            return Answer(True, running)
        return Answer(False, f"runs {running}")

    def readyz(self) -> Answer:
        """It has caught up with consensus and loaded its shards; once said, it stays said."""
        with self.nodes.api(self.device) as api:
            reason = api.not_ready()
        return Answer(not reason, reason)

    def cluster(self) -> Answer:
        """All nodes see all peers, and consensus works and moves on each."""
        look, earlier = self.nodes.look(), self._earlier
        if obstacles := whole.consensus(look):
            return _judged(obstacles, "")
        if earlier is None or look.at - earlier.at < _BEAT:
            self._earlier = earlier or look
            return Answer(False, "all agree; looking again whether consensus moves")
        self._earlier = look
        still = whole.standing_still(look, earlier)
        return _judged(still, f"{len(look.peers())} peers agree")

    def replicas(self) -> Answer:
        """All replicas are Active as every node sees it, and nothing is on its way."""
        look = self.nodes.look()
        obstacles = [*look.problems(), *whole.replicas(look)]
        return _judged(obstacles, f"all {sum(whole.shards_on(look).values())} Active")

    def status(self) -> Answer:
        """No collection is red, no optimizer has failed."""
        look = self.nodes.look(collections=True)
        seen = {
            f"{name} is {view.status}"
            for node, _ in look.views()
            for name, view in node.collections.items()
            if view.status != "green"
        }
        obstacles = [*look.problems(), *health(look)]
        return _judged(obstacles, ", ".join(sorted(seen)) or "green")

    def counts(self) -> Answer:
        """The node has about as many points in each shard as the other replicas have."""
        look = self.nodes.look()
        return _judged([*look.problems(), *differences(look, self.device)], "")


def _judged(obstacles: Iterable[Obstacle], well: str) -> Answer:
    """An answer that names the first of what is awaited; `well` if that is nothing."""
    texts = [str(obstacle) for obstacle in obstacles]
    if not texts:
        return Answer(True, well)
    more = f" (and {len(texts) - 1} more)" if len(texts) > 1 else ""
    return Answer(False, texts[0] + more)


def differences(look: Look, device: str) -> list[Obstacle]:
    """The shards of a node that have too many or too few points to be a replica of the others'."""
    counts: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    for node, _ in look.views():
        for name, shards in node.shards.items():
            for replica in shards.replicas:
                if replica.points is not None:
                    counts[name, replica.shard_id][node.device] = replica.points
    found = []
    for (name, shard), points in sorted(counts.items()):
        if device not in points:
            continue
        fewest, most = min(points.values()), max(points.values())
        if most - fewest > max(_TOLERATED_POINTS, _TOLERATED_SHARE * most):
            each = ", ".join(f"{where} {count}" for where, count in points.items())
            found.append(Obstacle(f"{name}: points of shard {shard} differ: {each}"))
    return found
