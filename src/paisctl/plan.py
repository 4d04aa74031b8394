"""What would change, why, and the operations that would do it. Data only; `str()` is stable.

A plan has no timestamps, no colour and no secrets: two plans of the same states are equal, and so
are their texts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum

from paisctl.desired import Key
from paisctl.diagnostics import Mark
from paisctl.hold import Hold
from paisctl.operation import Operation
from paisctl.owing import Owed

LEFT_ALONE = "left alone: "  # how the note of a host begins that has more than was planned


class Action(StrEnum):
    """What happens to a thing. The value is the sign in front of it."""

    CREATE = "+"
    UPDATE = "~"
    MEND = "!"
    DELETE = "-"


class Cause(StrEnum):
    """Why it happens.

    `pending`: the inventory differs from what was last applied. `drift`: the host does. `both`:
    the two differ from it and from each other. `orphan`: managed, no longer wanted.
    """

    PENDING = "pending"
    DRIFT = "drift"
    BOTH = "both"
    ORPHAN = "orphan"


class Disruption(IntEnum):
    """How much a change disturbs who uses the service, the least first."""

    NONE = 0
    RELOAD = 1
    RESTART = 2
    RECREATE = 3
    DOWNTIME = 4

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Names one managed thing: `k6/compose:qdrant`."""

    device: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.device}/{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what is wanted and what is.

    `subject` is the part of the address that differs (`service qdrant`, `file haproxy.cfg`),
    `field` the field of it. `reason` says in words where a drift shows or what asked for a pending
    change; `mark` is the line of the inventory that asked. `diff` is a unified diff of a text.
    """

    address: Address
    action: Action
    subject: str
    cause: Cause
    disruption: Disruption
    field: str = ""
    before: str = ""
    after: str = ""
    reason: str = ""
    mark: Mark | None = None
    downloads: str = ""
    diff: str = ""

    def __str__(self) -> str:
        values = " → ".join(_on_one_line(value) for value in (self.before, self.after) if value)
        what = " ".join(part for part in (self.subject, self.field, values) if part)
        where = f" ({self.mark.file}:{self.mark.line})" if self.mark else ""
        why = f"{self.cause}: {self.reason}" if self.reason else str(self.cause)
        return f"{self.action} {self.address} {what} [{self.disruption}] {why}{where}"


@dataclass(frozen=True, slots=True)
class StackPlan:
    """The changes of one stack on one host and the operations that make them, in order.

    `entry` is its line for the host's manifest once all is done; empty when it is removed.
    """

    name: str
    changes: tuple[Change, ...] = ()
    operations: tuple[Operation, ...] = ()
    needs: tuple[Key, ...] = ()
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A stack that is left out of a plan although it is wanted: something is in its way."""

    address: Address
    problem: str
    hint: str = ""

    def __str__(self) -> str:
        return f"? {self.address} {self.problem}"


@dataclass(frozen=True, slots=True)
class Held:
    """A hold, and the changes that it keeps from being made."""

    hold: Hold
    changes: tuple[Change, ...] = ()

    def __str__(self) -> str:
        s = "" if len(self.changes) == 1 else "s"
        return f"{self.hold}; {len(self.changes) or 'no'} change{s} left alone"


@dataclass(frozen=True, slots=True)
class HostPlan:
    """One host: its stacks in the order they are applied, or why it could not be planned.

    `refused` are those of its stacks that are left out. `asleep` says why a host cannot be reached
    that need not be; `owed` is what it has yet to be given, None if nobody knows. `held` is what
    nobody may change for now.
    """

    device: str
    stacks: tuple[StackPlan, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    hint: str = ""
    refused: tuple[Refusal, ...] = ()
    asleep: str = ""
    owed: Owed | None = None
    held: tuple[Held, ...] = ()

    @property
    def changes(self) -> list[Change]:
        return [change for stack in self.stacks for change in stack.changes]


@dataclass(frozen=True, slots=True)
class PolicyPlan:
    """The access policy of the tailnet: what would be set, or why that cannot be planned.

    `gains` and `losses` say in words who will reach what, and who no longer. `text` is the policy to
    set, over the one with the text `before`, which the control plane knows as `etag`.
    """

    changes: tuple[Change, ...] = ()
    gains: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    hint: str = ""
    text: str = ""
    before: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan for a fleet: its hosts, in the inventory's order, and last its access policy.

    `policy` is None when the plan is not about it.
    """

    hosts: tuple[HostPlan, ...] = field(default=())
    policy: PolicyPlan | None = None

    @property
    def changes(self) -> list[Change]:
        of_policy = self.policy.changes if self.policy else ()
        return [*(change for host in self.hosts for change in host.changes), *of_policy]

    @property
    def problems(self) -> list[HostPlan]:
        """The hosts that could not be planned."""
        return [host for host in self.hosts if host.problem]

    @property
    def asleep(self) -> list[HostPlan]:
        """The hosts that are asleep: left out, and no problem."""
        return [host for host in self.hosts if host.asleep]

    @property
    def held_changes(self) -> list[Change]:
        """The changes that are left alone for now, of all hosts."""
        return [change for host in self.hosts for held in host.held for change in held.changes]

    @property
    def refused(self) -> list[Refusal]:
        """The stacks that were left out, of all hosts."""
        return [refusal for host in self.hosts for refusal in host.refused]

    @property
    def is_whole(self) -> bool:
        """Whether all hosts, all their stacks and the policy could be planned."""
        return not (self.problems or self.refused or (self.policy and self.policy.problem))

    @property
    def changing(self) -> list[HostPlan]:
        """The hosts that have changes."""
        return [host for host in self.hosts if host.changes]

    def only(self, keys: Collection[Key]) -> Plan:
        """The part of the plan that is about some (device, stack) pairs, without the policy."""
        return Plan(
            tuple(
                replace(host, stacks=tuple(s for s in host.stacks if (host.device, s.name) in keys))
                for host in self.hosts
            )
        )

    @property
    def is_drift_only(self) -> bool:
        """Whether the inventory asks for nothing new: only the hosts have moved."""
        return all(change.cause is Cause.DRIFT for change in self.changes)

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __str__(self) -> str:
        return "\n".join(self._lines()) or "no changes"

    def _lines(self) -> Iterator[str]:
        for host in self.hosts:
            if host.problem:
                yield f"? {host.device} {host.problem}"
            if host.asleep:
                yield f"z {host.device} asleep"
            yield from (f"= {host.device} {held}" for held in host.held)
            yield from map(str, host.refused)
            for stack in host.stacks:
                yield from map(str, stack.changes)
                yield from (f"    {operation}" for operation in stack.operations)
        if self.policy:
            if self.policy.problem:
                yield f"? policy {self.policy.problem}"
            yield from map(str, self.policy.changes)


def _on_one_line(text: str) -> str:
    """Line ends and control characters as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def count(changes: Iterable[Change]) -> dict[Action, int]:
    """How many changes of each action there are; those with none are left out."""
    counts: dict[Action, int] = {}
    for change in changes:
        counts[change.action] = counts.get(change.action, 0) + 1
    return {action: counts[action] for action in Action if action in counts}
