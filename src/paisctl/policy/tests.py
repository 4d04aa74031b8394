"""The tests that a policy carries, run as the control plane runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from paisctl.policy.document import Policy
from paisctl.policy.world import World


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that does not hold: `target` of test `index` should be allowed, or denied."""

    index: int
    src: str
    target: str
    wanted: Literal["accept", "deny"]
    message: str


def failures(policy: Policy, world: World) -> list[Failure]:
    raise NotImplementedError
