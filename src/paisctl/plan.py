"""What would change, why, and the operations that would do it. Data only; `str()` is stable.

A plan has no timestamps, no colour and no secrets: two plans of the same states are equal, and so
are their texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from paisctl.desired import GateSpec, Key
from paisctl.diagnostics import Mark
from paisctl.resources.file import FileCheck, FileSpec


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
        values = f" {self.before} → {self.after}" if self.before or self.after else ""
        what = f"{self.subject} {self.field}".rstrip()
        where = f" ({self.mark.file}:{self.mark.line})" if self.mark else ""
        why = f"{self.cause}: {self.reason}" if self.reason else str(self.cause)
        return f"{self.action} {self.address} {what}{values} [{self.disruption}] {why}{where}"


class Verb(StrEnum):
    """What an operation does to a service of a stack."""

    CREATE = "create"
    RECREATE = "recreate"
    START = "start"
    UNPAUSE = "unpause"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Pull:
    """Get an image that the host lacks."""

    image: str

    def __str__(self) -> str:
        return f"pull {self.image}"


@dataclass(frozen=True, slots=True)
class CheckFile:
    """Have a staged file accepted by the program that will read it.

    `mounts` are the service's mounts as `path-in-stack-directory:container-path`.
    """

    path: str
    check: FileCheck
    image: str
    mounts: tuple[str, ...]

    def __str__(self) -> str:
        return f"check {self.path}: {' '.join(self.check.command)}"


@dataclass(frozen=True, slots=True)
class InstallFile:
    """Put a file in place, whole or not at all."""

    file: FileSpec

    def __str__(self) -> str:
        return f"install {self.file.path} {self.file.mode}"


@dataclass(frozen=True, slots=True)
class RemoveFile:
    path: str

    def __str__(self) -> str:
        return f"remove {self.path}"


@dataclass(frozen=True, slots=True)
class ServiceOperation:
    """Bring services of a stack to their definition, or to life."""

    verb: Verb
    services: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.verb} {' '.join(self.services)}"


@dataclass(frozen=True, slots=True)
class SignalService:
    """Have a service read its configuration again."""

    service: str
    signal: str

    def __str__(self) -> str:
        return f"signal {self.service} {self.signal}"


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    """Remove a container; its volumes stay."""

    container: str
    name: str

    def __str__(self) -> str:
        return f"remove container {self.name}"


@dataclass(frozen=True, slots=True)
class DisconnectNetwork:
    network: str
    container: str
    name: str

    def __str__(self) -> str:
        return f"disconnect {self.name} from {self.network}"


@dataclass(frozen=True, slots=True)
class RemoveProject:
    """Take a Compose project down; its volumes stay."""

    project: str

    def __str__(self) -> str:
        return f"take down {self.project}, volumes kept"


@dataclass(frozen=True, slots=True)
class WaitHealthy:
    """Wait until services are healthy. `timeout` is in seconds."""

    services: tuple[str, ...]
    timeout: float

    def __str__(self) -> str:
        return f"wait for {' '.join(self.services)} up to {self.timeout:g} s"


@dataclass(frozen=True, slots=True)
class PassGate:
    gate: GateSpec

    def __str__(self) -> str:
        return f"gate {self.gate.description}"


Operation = (
    Pull
    | CheckFile
    | InstallFile
    | RemoveFile
    | ServiceOperation
    | SignalService
    | RemoveContainer
    | DisconnectNetwork
    | RemoveProject
    | WaitHealthy
    | PassGate
)


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
class HostPlan:
    """One host: its stacks in the order they are applied, or why it could not be planned."""

    device: str
    stacks: tuple[StackPlan, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    hint: str = ""

    @property
    def changes(self) -> list[Change]:
        return [change for stack in self.stacks for change in stack.changes]


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan for a fleet, by device in the inventory's order."""

    hosts: tuple[HostPlan, ...] = field(default=())

    @property
    def changes(self) -> list[Change]:
        return [change for host in self.hosts for change in host.changes]

    @property
    def problems(self) -> list[HostPlan]:
        """The hosts that could not be planned."""
        return [host for host in self.hosts if host.problem]

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __str__(self) -> str:
        return "\n".join(self._lines()) or "no changes"

    def _lines(self) -> Iterator[str]:
        for host in self.hosts:
            if host.problem:
                yield f"? {host.device} {host.problem}"
            for stack in host.stacks:
                yield from map(str, stack.changes)
                yield from (f"    {operation}" for operation in stack.operations)


def count(changes: Iterable[Change]) -> dict[Action, int]:
    """How many changes of each action there are; those with none are left out."""
    counts: dict[Action, int] = {}
    for change in changes:
        counts[change.action] = counts.get(change.action, 0) + 1
    return {action: counts[action] for action in Action if action in counts}
