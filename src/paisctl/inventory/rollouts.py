"""Rollouts: stacks whose members are changed one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from paisctl.inventory.base import Model
from paisctl.inventory.types import Duration, Name

if TYPE_CHECKING:
    from paisctl.inventory.load import Fleet


class GateLimits(Model):
    """Changes to one of the gates that the stack's bundle declares."""

    timeout: Duration | None = Field(None, description="How long it may take")
    hold: Duration | None = Field(None, description="For how long it must then stay passed")


class Rollout(Model):
    """A stack whose members are changed one after the other, never two at once."""

    stack: Name = Field(description="The stack; its bundle says how it is rolled")
    devices: list[Name] | None = Field(
        None, min_length=1, description="Its members; all devices that run the stack if left out"
    )
    order: Literal["driver", "inventory"] = Field(
        "driver",
        description="Which member is next: what the stack's driver says (Qdrant: the leader last), "
        "or the order of the members here",
    )
    gates: dict[Name, GateLimits] = Field(
        default_factory=dict, description="Other limits for the gates of the bundle, by name"
    )
    drain_timeout: Duration = Field(
        "30s", description="How long a load balancer may take to finish what a member has to do"
    )
    settle: Duration = Field("30s", description="Rest after a member, before the next one")


@dataclass(frozen=True, slots=True)
class Group:
    """The devices on which a stack is never restarted at the same time, and the rollout that says so."""

    name: str
    stack: str
    devices: frozenset[str]


def groups_of(fleet: Fleet) -> tuple[Group, ...]:
    """The groups that the rollouts of an inventory make."""
    return tuple(
        Group(
            name,
            rollout.stack,
            frozenset(
                rollout.devices
                or [
                    each.name
                    for each in fleet.devices.values()
                    if rollout.stack in each.device.stacks
                ]
            ),
        )
        for name, rollout in fleet.inventory.rollouts.items()
    )
