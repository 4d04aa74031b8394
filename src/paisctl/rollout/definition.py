"""What is rolled, by what, and with which limits: a rollout of the inventory, with its bundle's part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from paisctl.cluster.driver import RolloutDriver
from paisctl.cluster.loading import load_driver
from paisctl.cluster.member import Member
from paisctl.diagnostics import Mark, did_you_mean
from paisctl.errors import UsageError
from paisctl.inventory.load import Fleet
from paisctl.inventory.rollouts import Rollout
from paisctl.inventory.types import parse_duration
from paisctl.rendering.bundle import Balances, BundleRollout
from paisctl.rendering.graph import Graph
from paisctl.rendering.instances import Instance
from paisctl.rollout.commands import CommandDriver
from paisctl.rollout.gates import Limits


@dataclass(frozen=True)
class Balancer:
    """A stack on a device that distributes requests to the members."""

    instance: Instance
    commands: Balances


@dataclass(frozen=True)
class Definition:
    """One rollout.

    Attributes:
        instances: the members, in the order of the rollout's `devices`.
        limits: of its gates, by name, in their order.
        balancers: what members are drained in.
    """

    name: str
    settings: Rollout
    bundle: BundleRollout
    instances: Sequence[Instance]
    limits: Mapping[str, Limits]
    balancers: Sequence[Balancer]

    @property
    def devices(self) -> list[str]:
        return [instance.device.name for instance in self.instances]

    @property
    def stack(self) -> str:
        return self.settings.stack

    def image(self, device: str) -> str:
        """The reference of the image that the inventory wants on a member."""
        [instance] = [each for each in self.instances if each.device.name == device]
        return instance.images[self.bundle.image]

    @property
    def versions(self) -> dict[str, str]:
        """The tag that the inventory wants on each member."""
        return {device: tag_of(self.image(device)) for device in self.devices}

    def tag_mark(self) -> Mark | None:
        """Where the tag is written; None when only the bundle says it."""
        return self.instances[0].settings[f"images.{self.bundle.image}.tag"].mark

    def driver(self, members: Sequence[Member]) -> RolloutDriver:
        """What knows the stack: the driver in its bundle, or the commands that the bundle declares."""
        name = self.bundle.driver
        if name is None:
            return CommandDriver(members, self.bundle.gates, self.stack)
        module = load_driver(self.instances[0].stack.folder, name)
        driver: RolloutDriver = module.rollout(members)
        return driver


def define(fleet: Fleet, graph: Graph, name: str) -> Definition:
    """The rollout with a name.

    Raises:
        UsageError: the inventory has none with that name.
    """
    rollouts = fleet.inventory.rollouts
    if name not in rollouts:
        known = did_you_mean(name, rollouts, "rollouts") if rollouts else "declare it: `rollouts:`"
        raise UsageError(f"the inventory has no rollout `{name}`", known)
    settings = rollouts[name]
    running = {each.device.name: each for each in graph.of_stack(settings.stack)}
    instances = [running[device] for device in settings.devices or running]
    bundle = instances[0].stack.bundle
    assert bundle.rollout is not None  # noqa: S101 # lint has seen to it
    return Definition(
        name,
        settings,
        bundle.rollout,
        instances,
        dict(_limits(settings, bundle.rollout)),
        list(_balancers(graph, instances[0])),
    )


def _limits(settings: Rollout, bundle: BundleRollout) -> Iterator[tuple[str, Limits]]:
    for name, gate in bundle.gates.items():
        own = settings.gates.get(name)
        timeout = (own and own.timeout) or gate.timeout
        hold = (own and own.hold) or gate.hold
        yield name, Limits(parse_duration(timeout), parse_duration(hold))


def _balancers(graph: Graph, member: Instance) -> Iterator[Balancer]:
    """The stacks that distribute what the member offers, and say how they are told."""
    offered = set(member.stack.bundle.exports)
    for instance in graph.instances.values():
        for commands in instance.stack.bundle.balances:
            if offered & set(commands.exports) and instance.device.device.deploy:
                yield Balancer(instance, commands)


def repository_of(image: str) -> str:
    """An image reference without its tag and its digest."""
    return image.partition("@")[0].removesuffix(f":{tag_of(image)}")


def tag_of(image: str) -> str:
    """The tag of an image reference, without a digest."""
    name = image.partition("@")[0]
    return name.rpartition(":")[2] if ":" in name.rpartition("/")[2] else "latest"
