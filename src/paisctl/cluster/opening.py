"""Connecting to the members of a stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from paisctl.cluster.member import HostMember
from paisctl.events import Listener
from paisctl.observe import observe
from paisctl.observed import HostState
from paisctl.rendering.instances import Instance
from paisctl.secrets import Vault
from paisctl.targets import Target


@dataclass(frozen=True)
class Opened:
    """Hosts that were read. `members` are those that can be asked, `away` says why others cannot."""

    members: Mapping[str, HostMember]
    states: Mapping[str, HostState]
    targets: Mapping[str, Target]
    away: Mapping[str, str]


@contextmanager
def open_members(
    instances: Sequence[Instance], targets: Sequence[Target], vault: Vault, listener: Listener
) -> Iterator[Opened]:
    """Connect to the hosts of some instances and read them; close the connections at the end.

    Args:
        instances: a stack on some devices.
        targets: their hosts, not connected yet, one per instance and in the same order.
        vault: the values of secrets.
        listener: told what happens meanwhile.
    """
    try:
        states = observe(targets, listener)
        members, away = {}, {}
        for instance, target in zip(instances, targets, strict=True):
            state = states[target.device]
            if state.problem or state.facts is None:
                away[target.device] = state.problem
            else:
                members[target.device] = HostMember(instance, target, state.facts, vault)
        yield Opened(members, states, {target.device: target for target in targets}, away)
    finally:
        for target in targets:
            target.close()
