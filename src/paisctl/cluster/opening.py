"""Connecting to the members of stacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from paisctl.cluster.member import HostMember
from paisctl.desired import Key
from paisctl.events import Listener
from paisctl.observe import observe
from paisctl.observed import HostFacts, HostState
from paisctl.rendering.instances import Instance
from paisctl.secrets import Vault
from paisctl.targets import Target


@dataclass(frozen=True)
class Opened:
    """Hosts that were read.

    Attributes:
        members: those that can be asked, by device and stack.
        states: all hosts as they are, by device.
        targets: all hosts, those that could be reached still connected, by device.
        away: why others cannot be asked, by device.
    """

    members: Mapping[Key, HostMember]
    states: Mapping[str, HostState]
    targets: Mapping[str, Target]
    away: Mapping[str, str]

    def member(self, instance: Instance) -> HostMember | None:
        """An instance that can be asked; None when its host cannot."""
        return self.members.get(instance.key)


@contextmanager
def open_members(
    instances: Sequence[Instance], targets: Sequence[Target], vault: Vault, listener: Listener
) -> Iterator[Opened]:
    """Connect to the hosts of some instances and read them; close the connections at the end.

    Args:
        instances: stacks on devices.
        targets: the hosts, not connected yet: those of the instances, and maybe others.
        vault: the values of secrets.
        listener: told what happens meanwhile.
    """
    by_device = {target.device: target for target in targets}
    try:
        states = observe(targets, listener)
        members = {
            instance.key: HostMember(instance, by_device[instance.device.name], facts, vault)
            for instance in instances
            if (facts := _facts(states[instance.device.name]))
        }
        away = {device: state.problem for device, state in states.items() if not _facts(state)}
        yield Opened(members, states, by_device, away)
    finally:
        for target in targets:
            target.close()


def _facts(state: HostState) -> HostFacts | None:
    """How to execute on a host; None when nothing can be."""
    return None if state.problem else state.facts
