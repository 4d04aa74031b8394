"""Two policies compared by what people and devices gain and lose."""

from __future__ import annotations

from dataclasses import dataclass

from paisctl.policy.document import Policy
from paisctl.policy.ports import PortSet
from paisctl.policy.world import World


@dataclass(frozen=True, slots=True)
class AccessChange:
    """What a user (by login name) or the devices with a tag gain and lose of a target.

    `target` is the name of a device, a network, or `autogroup:internet`.
    """

    source: str
    target: str
    gained: PortSet
    lost: PortSet


def compare(
    before: Policy, after: Policy, world_before: World, world_after: World
) -> tuple[AccessChange, ...]:
    raise NotImplementedError
