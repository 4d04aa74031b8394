"""The steps of a rollout, as paisctl asks for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from paisctl.cluster.asking import ask_all
from paisctl.cluster.driver import Ask, Diagnosis, Journal, Obstacle, Say, Task
from paisctl.cluster.member import Member
from paisctl.errors import PaisctlError
from qdrant_driver import preflight, rebuild, snapshots, whole, writes
from qdrant_driver.diagnosis import diagnose
from qdrant_driver.disk import Disk, read_disk
from qdrant_driver.gates import Gates
from qdrant_driver.nodes import SNAPSHOTS, Look, Nodes
from qdrant_driver.replicate import replicate_first

_PAUSE = 2.0  # seconds in which consensus that works does something, many times over
_PREPARED = "prepared"  # in the journal: whether what is done once has been done


@dataclass(frozen=True)
class QdrantRollout:
    """Implements `paisctl.cluster.driver.RolloutDriver` for a Qdrant cluster."""

    nodes: Nodes

    def preflight(self, task: Task, away: Collection[str] = ()) -> list[Obstacle]:
        """All reasons not to begin, from two looks at all nodes and one at their disks."""
        earlier = self.nodes.look(away)
        disks, unread = self._disks(earlier, away)
        self.nodes.sleep(_PAUSE)
        look = self.nodes.look(away, collections=True)
        return [*preflight.reasons(look, earlier, disks, task, away), *unread]

    def prepare(self, task: Task, journal: Journal, say: Say) -> None:
        """Second replicas, snapshots and metadata once; the write consistency factor each time."""
        if not journal.get(_PREPARED):
            if task.replicate_first:
                replicate_first(self.nodes, task, say)
            snapshots.keep_metadata(self.nodes, journal)
            if task.takes_snapshots:
                snapshots.take_all(self.nodes, journal, say)
        writes.lower(self.nodes, journal, say)
        if not journal.get(_PREPARED):
            journal.keep(_PREPARED, True)

    def order(self, devices: Sequence[str]) -> list[str]:
        """Followers first, the leader last: then it is elected anew once only."""
        look = self.nodes.look()
        leaders = {look.device_of(view.leader) for _, view in look.views() if view.leader}
        return sorted(devices, key=lambda device: device in leaders)

    def before(self, device: str, task: Task) -> list[Obstacle]:
        """Why the others cannot do without this node right now."""
        look = self.nodes.look({device})
        return [
            *whole.consensus(look, {device}),
            *whole.replicas(look, {device}),
            *preflight.unreadable(look, task, {device}),
        ]

    def gates(self, device: str, task: Task) -> Mapping[str, Ask]:
        """The gates that `bundle.yaml` names."""
        return Gates(self.nodes, device, task).all()

    def finish(self, task: Task, journal: Journal, say: Say) -> list[Obstacle]:  # noqa: ARG002
        """Put the write consistency factors back. Snapshots stay where they are."""
        if devices := ", ".join(journal.get(snapshots.KEY, {})):
            say(f"the snapshots stay below {SNAPSHOTS} on {devices}; remove them when all is well")
        return writes.put_back(self.nodes, journal, say)

    def diagnose(self, device: str, task: Task) -> Diagnosis:
        """See `diagnosis`."""
        return diagnose(self.nodes, device, task)

    def dismiss(self, device: str, journal: Journal, say: Say) -> None:
        """See `rebuild`."""
        rebuild.dismiss(self.nodes, device, journal, say)

    def refill(self, device: str, journal: Journal, say: Say) -> None:
        """See `rebuild`."""
        rebuild.refill(self.nodes, device, journal, say)

    def _disks(self, look: Look, away: Collection[str]) -> tuple[dict[str, Disk], list[Obstacle]]:
        """The disks of the nodes that answer, and why others cannot be read."""
        asked = [self.nodes.member(node.device) for node, _ in look.views(away)]
        found = ask_all(asked, _disk)
        disks = {device: disk for device, disk in found.items() if isinstance(disk, Disk)}
        return disks, [each for each in found.values() if isinstance(each, Obstacle)]


def _disk(member: Member) -> Disk | Obstacle:
    try:
        return read_disk(member)
    except PaisctlError as error:
        what = error.message.removeprefix(f"{member.device}: ")
        return Obstacle(what, error.hint or "", member.device)
