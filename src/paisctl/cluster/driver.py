"""What a stateful stack tells paisctl about itself, so that it can be rolled, and what it is told.

A bundle's driver is a Python package in the bundle's folder, which `bundle.yaml` names
(`rollout: {driver: …}`). It has a function `rollout(members)` that returns a `RolloutDriver`. A
stack without a driver is rolled by the gates that its bundle declares.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Say = Callable[[str], None]  # takes one line about what is going on


@dataclass(frozen=True, slots=True)
class Task:
    """What a rollout is to do.

    Attributes:
        target: the version that is wanted, as the image's tag says it (`v1.19.0`).
        is_restart: the members are to be restarted, nothing else.
        replicate_first: data with one copy is to be copied to a second member first.
        accept_downtime: the data sets that may be away while their only member is.
        takes_snapshots: the data is to be copied aside before the first member is touched.
    """

    target: str
    is_restart: bool = False
    replicate_first: bool = False
    accept_downtime: frozenset[str] = frozenset()
    takes_snapshots: bool = True


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A reason not to go on. `device` is empty for what is about all of them."""

    what: str
    hint: str = ""
    device: str = ""

    def __str__(self) -> str:
        return f"{self.device}: {self.what}" if self.device else self.what


@dataclass(frozen=True, slots=True)
class Answer:
    """What a gate says when it is asked: whether it is passed, and what was found or is awaited."""

    passed: bool
    said: str = ""


Ask = Callable[[], Answer]  # looks once; raising PaisctlError counts as not passed


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known about a member that does not come back.

    Attributes:
        facts: one line each.
        may_go_back: whether the version before can take the data again: it was not touched. None
            when that cannot be told.
        can_be_rebuilt: whether the other members have all the data.
        hints: what else to look at or to do by hand, a line each.
    """

    facts: tuple[str, ...] = ()
    may_go_back: bool | None = None
    can_be_rebuilt: bool = False
    hints: tuple[str, ...] = field(default=())


class Journal(Protocol):
    """What a driver has to remember, also after a crash and from another laptop: it is on the hosts.

    Whatever has to be put back is kept before it is changed. Values are of JSON.
    """

    def get(self, key: str, default: Any = None) -> Any:
        """What was kept under a key."""

    def keep(self, key: str, value: Any) -> None:
        """Keep a value; it is on the hosts when this returns.

        Raises:
            HostError: it could not be written to any host.
        """


class RolloutDriver(Protocol):
    """Knows one kind of cluster. Every method may be called again after a crash in the middle of it.

    Raises PaisctlError where it cannot do what it is asked.
    """

    def preflight(self, task: Task, away: Collection[str] = ()) -> list[Obstacle]:
        """All reasons not to begin; none means that any one member may be taken away.

        Args:
            task: what is planned.
            away: members that need not answer: the rollout broke off while it was at them.
        """

    def prepare(self, task: Task, journal: Journal, say: Say) -> None:
        """What has to be done before the first member: snapshots, settings for the time of it."""

    def order(self, devices: Sequence[str]) -> list[str]:
        """The order for those that remain; it is asked again before each step."""

    def before(self, device: str, task: Task) -> list[Obstacle]:
        """Reasons not to take this member away right now."""

    def gates(self, device: str, task: Task) -> Mapping[str, Ask]:
        """What must hold after this member was changed: the gates that `bundle.yaml` declares."""

    def finish(self, task: Task, journal: Journal, say: Say) -> list[Obstacle]:
        """Put back what was changed for the time of the rollout, also after an abort.

        Returns:
            What could not be put back.
        """

    def diagnose(self, device: str, task: Task) -> Diagnosis:
        """Look at a member that does not come back. Changes nothing."""

    def dismiss(self, device: str, journal: Journal, say: Say) -> None:
        """Take a stopped member out of the cluster, its data put aside, so that it starts empty.

        Raises:
            PaisctlError: the others do not have all of its data, or there is no driver for that.
        """

    def refill(self, device: str, journal: Journal, say: Say) -> None:
        """Give a member that has started empty its share of the data again, and wait for it."""
