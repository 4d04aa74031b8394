"""What happens in a rollout, for whoever watches. Frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from paisctl.cluster.driver import Answer
from paisctl.events import Noted
from paisctl.rollout.record import Phase


@dataclass(frozen=True, slots=True)
class Entered:
    """A member has come to a phase."""

    device: str
    phase: Phase


@dataclass(frozen=True, slots=True)
class Doing:
    """What is being done with a member right now."""

    device: str
    what: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A gate of a member has answered.

    `waited` and `timeout` are seconds; `held` and `hold`, too: for how long it has been passed, and must
    be. `is_through` is whether it counts as passed now.
    """

    device: str
    gate: str
    answer: Answer
    waited: float
    timeout: float
    held: float
    hold: float
    is_through: bool


RolloutEvent = Noted | Entered | Doing | Asked
Watcher = Callable[[RolloutEvent], None]
