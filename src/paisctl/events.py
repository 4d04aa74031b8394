"""What happened while hosts were observed and changed, for whoever shows it as it happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from paisctl.observed import HostState


class Outcome(StrEnum):
    """How a stack of a plan ended.

    `failed`: left as it was when it failed. `rolled-back`: as the generation before had it.
    `stranded`: it failed, and so did going back.
    """

    APPLIED = "applied"
    FAILED = "failed"
    SKIPPED = "skipped"
    ROLLED_BACK = "rolled-back"
    STRANDED = "stranded"


@dataclass(frozen=True, slots=True)
class Noted:
    """Something worth a line of its own; `device` is empty for what is about all."""

    text: str
    device: str = ""


@dataclass(frozen=True, slots=True)
class Probing:
    """A host is being connected to and read."""

    device: str


@dataclass(frozen=True, slots=True)
class Probed:
    """A host was read, or could not be; `problem` says why. `seconds` is how long it took."""

    device: str
    seconds: float
    problem: str = ""


@dataclass(frozen=True, slots=True)
class BatchBegins:
    """Another of several batches has its turn, after a pause in seconds. `number` counts from 1."""

    number: int
    count: int
    devices: tuple[str, ...]
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class StackWaiting:
    """A stack waits for stacks on other hosts."""

    device: str
    stack: str
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepStarted:
    """An operation began. `step` is its text; `detail` changes while it goes on."""

    device: str
    stack: str
    step: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StackEnded:
    """A stack is done. `step`, `message` and `log` say what failed, secrets masked."""

    device: str
    stack: str
    outcome: Outcome
    step: str = ""
    message: str = ""
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LockAwaited:
    """Somebody else changes the host; it waits for them to end. `holder` says who."""

    device: str
    holder: str


@dataclass(frozen=True, slots=True)
class GoingBack:
    """A stack has failed: the host goes back to the generation before."""

    device: str
    stack: str
    generation: int


@dataclass(frozen=True, slots=True)
class Stopping:
    """An interrupt: no further stack begins, and each host ends the one it is in."""


@dataclass(frozen=True, slots=True)
class HostEnded:
    """Nothing more happens on a host. `problem` is set when the connection was lost."""

    device: str
    seconds: float
    problem: str = ""


Event = (
    Probing
    | Probed
    | LockAwaited
    | BatchBegins
    | StackWaiting
    | StepStarted
    | GoingBack
    | StackEnded
    | Stopping
    | HostEnded
)
Listener = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class HostResult:
    """How an apply ended on one host.

    `state` is the host as read again afterwards, None when it could not be; `problem` then says
    why, `hint` what to do, and `changing` which stack was being changed at that moment.
    `generation` is the one that the host has gone back to by itself. `is_overtaken`: somebody else
    has changed the host since it was read, so that nothing was done. `stopped` says why nothing
    more has begun on any host.
    """

    device: str
    stacks: Mapping[str, StackEnded]
    state: HostState | None
    problem: str = ""
    hint: str = ""
    changing: str = ""
    generation: int | None = None
    is_overtaken: bool = False
    stopped: str = ""
