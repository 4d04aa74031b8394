"""Everything that a rollout command works on: the members, their load balancers, what is remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from paisctl.cluster.driver import Obstacle, RolloutDriver, Task
from paisctl.cluster.member import HostMember
from paisctl.cluster.opening import Opened, open_members
from paisctl.cluster.place import Place, place_of
from paisctl.desired import HostSpec
from paisctl.events import Listener
from paisctl.hold import hold_of
from paisctl.inventory.load import Fleet
from paisctl.plan import Plan
from paisctl.reconcile.holding import refusal
from paisctl.rollout.balancers import Reached, check
from paisctl.rollout.definition import Definition, repository_of, tag_of
from paisctl.rollout.hands import is_revival
from paisctl.rollout.memory import recall
from paisctl.rollout.record import Record
from paisctl.secrets import Vault
from paisctl.session import Session
from paisctl.targets import build_targets


@dataclass(frozen=True)
class Scene:
    """A rollout's hosts, read.

    Attributes:
        members: those that can be asked, in the rollout's order.
        balancers: those that can be asked.
        places: where the rollout is remembered.
        record: of the last rollout, or of the one that is under way; None when there was none.
        plan: what the inventory would change on the members.
        running: the version that each member has.
    """

    definition: Definition
    opened: Opened
    members: Sequence[HostMember]
    balancers: Sequence[Reached]
    places: Sequence[Place]
    record: Record | None
    plan: Plan
    running: Mapping[str, str]

    @property
    def driver(self) -> RolloutDriver:
        """What knows the stack, on the members that can be asked."""
        return self.definition.driver(self.members)

    @property
    def changing(self) -> list[str]:
        """The members on which the inventory changes something."""
        return [host.device for host in self.plan.changing]

    def obstacles(self, task: Task, away: Sequence[str] = ()) -> list[Obstacle]:
        """Every reason not to begin, or not to go on; changes nothing.

        Args:
            task: what is to be done.
            away: members that need not answer: the rollout broke off while it was at them.
        """
        found = [
            Obstacle(problem, f"is it on? ssh {device}", device)
            for device, problem in self.opened.away.items()
        ]
        found += [
            Obstacle(refusal.problem, refusal.hint, refusal.address.device)
            for refusal in self.plan.refused
        ]
        found += list(self._held())
        if task.is_restart:
            hint = f"paisctl rollout {self.definition.name}"
            what = "the inventory has changes for it, and a restart makes none"
            found += [
                Obstacle(what, hint, host.device)
                for host in self.plan.changing
                if not is_revival(host.changes)
            ]
        versions = self.definition.versions
        if len(set(versions.values())) > 1:
            said = ", ".join(f"{version} on {device}" for device, version in versions.items())
            found.append(Obstacle(f"the inventory wants different versions: {said}"))
        unreached = [d for d in self.definition.devices if d in self.opened.away]
        found += self.driver.preflight(task, {*away, *unreached})
        return found + check(self.balancers, self.definition.devices)

    def _held(self) -> Iterator[Obstacle]:
        """The members that somebody holds although the inventory changes nothing on them."""
        refused = {refusal.address.device for refusal in self.plan.refused}
        for device in self.definition.devices:
            hold = hold_of(self.opened.states[device], self.definition.stack)
            if hold and device not in refused:
                found = refusal(device, self.definition.stack, hold)
                yield Obstacle(found.problem, found.hint, device)


@contextmanager
def open_scene(
    fleet: Fleet,
    hosts: Mapping[str, HostSpec],
    vault: Vault,
    definition: Definition,
    listener: Listener,
) -> Iterator[Scene]:
    """Connect to a rollout's hosts and read them; close the connections at the end.

    Args:
        fleet: the inventory.
        hosts: what should be on its devices.
        vault: the values of secrets.
        definition: the rollout.
        listener: told which hosts are being read.
    """
    balancing = [balancer.instance for balancer in definition.balancers]
    instances = [*definition.instances, *balancing]
    devices = list(dict.fromkeys(instance.device.name for instance in instances))
    targets = build_targets(fleet, hosts, devices)
    with open_members(instances, targets, vault, listener) as opened:
        states = {device: opened.states[device] for device in definition.devices}
        members = [member for each in definition.instances if (member := opened.member(each))]
        places = [place_of(opened.targets[m.device], states[m.device]) for m in members]
        session = Session({d: hosts[d] for d in definition.devices}, vault, {}, states)
        yield Scene(
            definition,
            opened,
            members,
            [
                Reached(host, balancer.commands)
                for balancer in definition.balancers
                if (host := opened.member(balancer.instance))
            ],
            places,
            recall(places, definition.name),
            session.demand([definition.stack]),
            _running(definition, opened),
        )


def _running(definition: Definition, opened: Opened) -> dict[str, str]:
    """The version that each member's container was made from."""
    found = {}
    for instance in definition.instances:
        device = instance.device.name
        wanted = instance.images[definition.bundle.image]
        for container in opened.states[device].containers:
            is_of_it = repository_of(container.image) == repository_of(wanted)
            if container.stack == definition.stack and is_of_it:
                found[device] = tag_of(container.image)
    return found
