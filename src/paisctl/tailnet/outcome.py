"""How a change of the policy went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """Which policy is in force at the end. Only KEPT is a success."""

    KEPT = "kept"  # the new one, and every host was reached under it
    WENT_BACK = "went back"  # the old one, proven by reading it back
    NOT_BACK = "not back"  # the old one could not be put back, or that it was cannot be proven
    OVERTAKEN = "overtaken"  # somebody else's, which was left alone
    NOBODY_REACHED = "nobody reached"  # the old one: no host was there to watch, nothing was done
    NOT_SET = "not set"  # the old one: the new one did not get in force


@dataclass(frozen=True, slots=True)
class Sighting:
    """Whether a host could be logged in to.

    Attributes:
        host: which.
        problem: why not; empty if it could.
        seconds: how long it took since the policy was set, or since asking began.
    """

    host: str
    problem: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Result:
    """How a change of the policy went.

    Attributes:
        outcome: which policy is in force.
        reached: hosts under the new policy (OVERTAKEN: under the one in force).
        gone: hosts that could be reached before, and could not under the new policy.
        left_out: hosts that could not be reached before, and so were not watched.
        after: every watched host under the old policy, when it went back to it.
        is_old_proven: whether the old policy was read back and is in force.
        is_record_kept: whether a next command can still finish or go back.
        problem: what went wrong beside hosts that are gone.
    """

    outcome: Outcome
    reached: tuple[Sighting, ...] = ()
    gone: tuple[Sighting, ...] = ()
    left_out: tuple[Sighting, ...] = ()
    after: tuple[Sighting, ...] = ()
    is_old_proven: bool = False
    is_record_kept: bool = False
    problem: str = ""


class SwitchInterrupted(KeyboardInterrupt):
    """A change was interrupted, and undone as far as `result` says."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.result = result


class Stage(Enum):
    """What is happening, for somebody who waits."""

    LOOKING = "looking which hosts can be reached"
    SETTING = "setting the policy"
    SETTLING = "letting the policy settle"
    WATCHING = "logging in to every host anew"
    REACHED = "reached"
    NOT_REACHED = "not reached yet"
    GOING_BACK = "putting the old policy back"
    NOT_YET_BACK = "could not put the old policy back yet"
    BACK = "the old policy is in force again"


@dataclass(frozen=True, slots=True)
class Progress:
    """Something that happened: a stage begins, or a host was asked.

    Attributes:
        stage: what.
        host: of REACHED and NOT_REACHED.
        detail: a problem, in words.
        seconds: since the policy was set, or since asking began.
    """

    stage: Stage
    host: str = ""
    detail: str = ""
    seconds: float = 0.0


Listener = Callable[[Progress], None]
