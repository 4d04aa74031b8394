"""What the hosts remember of a rollout, so that any laptop can go on with it. Data only.

Every member's host has the same record, `<root>/rollouts/<name>.json`. One that was away has an older
one: the highest (number, sequence) counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from paisctl.cluster.driver import Task
from paisctl.errors import UnexpectedAnswer

VERSION = 1
REBUILDING = (
    "rebuilding"  # in the journal: the `device` that is filled anew, whether it `is_emptied`
)


class Phase(StrEnum):
    """How far the rollout is with one member."""

    WAITING = "waiting"
    DRAINING = "draining"
    CHANGING = "changing"
    CHECKING = "checking"
    DONE = "done"


class Progress(StrEnum):
    """How a rollout is. `running` may also be one whose paisctl has died."""

    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Record:
    """A rollout as its hosts remember it.

    Attributes:
        number: of the rollouts with this name, the first one 1.
        sequence: counts what was written of this one.
        stack: what is rolled.
        task: what is to be done.
        before: the version that each member had, by device.
        who: who began it, `user@machine`.
        started: when, RFC 3339 in UTC.
        progress: how it is.
        members: how far it is with each member, by device, in the inventory's order.
        is_prepared: whether what comes before the first member is done.
        problem: why it stopped.
        journal: what the stack's driver remembers.
    """

    name: str
    number: int
    stack: str
    task: Task
    before: Mapping[str, str]
    who: str
    started: str
    members: Mapping[str, Phase]
    sequence: int = 0
    progress: Progress = Progress.RUNNING
    is_prepared: bool = False
    problem: str = ""
    journal: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether there is something to go on with, or to abort."""
        return self.progress in (Progress.RUNNING, Progress.STOPPED)

    @property
    def remaining(self) -> list[str]:
        """The members that are not done."""
        return [device for device, phase in self.members.items() if phase is not Phase.DONE]

    @property
    def begun(self) -> list[str]:
        """The members that it was at: changed perhaps, but not done.

        One at most, and one that had died after it was done, to be rebuilt.
        """
        between = (Phase.DRAINING, Phase.CHANGING, Phase.CHECKING)
        return [device for device, phase in self.members.items() if phase in between]

    @property
    def rebuilding(self) -> str:
        """The member that is being emptied and filled again; empty when none is."""
        return str(self.journal.get(REBUILDING, {}).get("device", ""))

    @property
    def still_to_do(self) -> Task:
        """The task without what was prepared."""
        return replace(
            self.task, takes_snapshots=self.task.takes_snapshots and not self.is_prepared
        )

    def with_phase(self, device: str, phase: Phase) -> Record:
        """The record with a member in another phase."""
        return replace(self, members={**self.members, device: phase})

    def to_json(self) -> str:
        """As it is written on the hosts."""
        task = asdict(self.task) | {"accept_downtime": sorted(self.task.accept_downtime)}
        return json.dumps({"version": VERSION, **asdict(self), "task": task}, indent=1) + "\n"


def parse_record(text: str, device: str) -> Record:
    """What a host has written down.

    Raises:
        UnexpectedAnswer: it is damaged, or of a newer paisctl.
    """
    try:
        data = json.loads(text)
        if data.pop("version") != VERSION:
            raise UnexpectedAnswer(
                f"the rollout that {device} remembers was written by a newer paisctl",
                "upgrade paisctl on this machine",
            )
        task = data.pop("task")
        task = Task(**{**task, "accept_downtime": frozenset(task["accept_downtime"])})
        members = {each: Phase(phase) for each, phase in data.pop("members").items()}
        progress = Progress(data.pop("progress"))
        return Record(**data, task=task, members=members, progress=progress)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnexpectedAnswer(
            f"the rollout that {device} remembers cannot be read ({error})",
            f"move it away on {device}, below `rollouts/`; the other members remember it, too",
        ) from error
