"""Who waits for whom: stacks need stacks on other hosts, and hosts are changed side by side."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType

from paisctl.desired import Key
from paisctl.errors import UsageError
from paisctl.events import Outcome, StackEnded
from paisctl.execution.batches import Batch, Pace, divide
from paisctl.execution.turns import Turns
from paisctl.plan import HostPlan, Plan


class Word(Enum):
    """What a host is told when it asks whether to take its lock, or to begin a stack.

    STOP is for the lock only: a host that has it is still to be read at the end, so that what it
    listens to must stay open.
    """

    LOCK = auto()
    GO = auto()
    SKIP = auto()
    STOP = auto()


_WHAT = {
    Outcome.FAILED: "failed",
    Outcome.SKIPPED: "was not applied",
    Outcome.ROLLED_BACK: "was rolled back",
    Outcome.STRANDED: "failed",
}


class Coordinator:
    """What has become of every stack of a plan; hosts' threads report to it and ask it.

    Args:
        devices: the hosts, in the order in which they are locked. All runs lock in one order, so
            that two of them cannot wait for each other.
        needs: for each stack of the plan, the stacks that come before it.
        missing: needs that this run cannot fulfil, and why: what needs them does not begin.
        turns: whose turn it is; else everything's at once.
    """

    def __init__(
        self,
        devices: Collection[str],
        needs: Mapping[Key, Collection[Key]],
        missing: Mapping[Key, str] = MappingProxyType({}),
        turns: Turns | None = None,
    ) -> None:
        self._unlocked = list(devices)
        self._turns = turns or Turns(divide(needs, Pace()), Pace(), lambda _: None)
        self._needs = needs
        self._missing = missing
        self._ended: dict[Key, StackEnded] = {}
        self._over: set[str] = set()
        self._bad: set[str] = set()
        self._stopped = ""
        self._changed = threading.Condition()

    def ended(self, end: StackEnded) -> None:
        """Note the end of a stack. What was applied may still be rolled back."""
        with self._changed:
            self._ended[end.device, end.stack] = end
            self._turns.ended(end.device)
            self._judge()

    def lost(self, device: str) -> None:
        """A host has broken off; what of it has not ended yet is still to be noted."""
        with self._changed:
            self._bad.add(device)
            self._judge()

    def over(self, device: str, *, is_as_planned: bool) -> None:
        """A host has ended as a whole: it was read again, or has broken off."""
        with self._changed:
            self._over.add(device)
            if not is_as_planned:
                self._bad.add(device)
            self._judge()

    def _judge(self) -> None:
        """Stop if too much has failed; else go on."""
        self._stopped = self._stopped or self._turns.verdict(self._ended, self._over, self._bad)
        if not (self._stopped or self._unlocked):
            self._turns.go_on(self._ended, self._over)
        self._changed.notify_all()

    def stop(self, reason: str) -> None:
        """Let no further stack begin; the first reason counts."""
        with self._changed:
            self._stopped = self._stopped or reason
            self._changed.notify_all()

    def locked(self, device: str) -> None:
        """A host is locked, or will not be: the next one may be."""
        with self._changed:
            if device in self._unlocked:
                self._unlocked.remove(device)
            self._changed.notify_all()

    def may_lock(self, device: str) -> Word:
        """Wait for the host's turn to be locked."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._unlocked[:1] == [device])
            return Word.STOP if self._stopped else Word.LOCK

    @property
    def stopped(self) -> str:
        """Why nothing begins any more; empty while it does."""
        return self._stopped

    def results(self, device: str) -> dict[str, StackEnded]:
        """The ends of a host's stacks."""
        with self._changed:
            return {stack: end for (name, stack), end in self._ended.items() if name == device}

    def waits_for(self, key: Key) -> list[Key]:
        """What a stack still has to wait for."""
        with self._changed:
            return [] if self._obstacle(key) else self._open_needs(key)

    def may_begin(self, key: Key) -> tuple[Word, str]:
        """Wait until it is clear whether a stack may begin; the text says why not."""
        with self._changed:
            while not self._stopped:
                rest = 0.0
                if not self._unlocked:
                    self._turns.go_on(self._ended, self._over)
                    if obstacle := self._obstacle(key):
                        return Word.SKIP, obstacle
                    rest = self._turns.pause  # once: it may end between two looks at it
                    if not (rest or self._open_needs(key)) and self._turns.may(key):
                        self._turns.began(key[0])
                        return Word.GO, ""
                self._changed.wait(rest or None)
            return Word.SKIP, self._stopped

    def _open_needs(self, key: Key) -> list[Key]:
        return [need for need in self._needs[key] if need not in self._ended]

    def _obstacle(self, key: Key) -> str:
        """Why a stack cannot begin any more; empty while it still can."""
        for device, stack in self._needs[key]:
            if why := self._missing.get((device, stack)):
                return f"it needs {stack} on {device}, which {why}"
            end = self._ended.get((device, stack))
            if end and end.outcome is not Outcome.APPLIED:
                return f"it needs {stack} on {device}, which {_WHAT[end.outcome]}"
        return ""


def needs_within(plan: Plan) -> dict[Key, list[Key]]:
    """The needs among the stacks of a plan, and those that it cannot fulfil.

    What else it does not change is there already.
    """
    stacks = {(host.device, stack.name): stack for host in plan.hosts for stack in host.stacks}
    known = stacks.keys() | missing_needs(plan).keys()
    return {key: [n for n in stack.needs if n in known] for key, stack in stacks.items()}


def missing_needs(plan: Plan) -> dict[Key, str]:
    """What stacks of a plan need, but is on a host that could not be read, or was refused."""
    unread = {host.device for host in plan.problems}
    refused = {(each.address.device, each.address.name) for each in plan.refused}
    needs = {need for host in plan.hosts for stack in host.stacks for need in stack.needs}
    return {
        need: "was refused" if need in refused else "could not be read"
        for need in needs
        if need in refused or need[0] in unread
    }


def in_common_order(plan: Plan, batches: Sequence[Batch] = ()) -> list[HostPlan]:
    """The hosts that change, the stacks of all of them in one common order.

    Hosts work through their stacks one by one, so that two hosts with orders of their own could
    wait for each other, although no stack does.

    Args:
        plan: what to do.
        batches: what comes before what; a batch needs none that comes after it.

    Raises:
        UsageError: stacks need one another in a circle.
    """
    try:
        order = list(TopologicalSorter(needs_within(plan)).static_order())
    except CycleError as error:
        circle = " → ".join(f"{stack} on {device}" for device, stack in error.args[1])
        raise UsageError(f"stacks need one another in a circle: {circle}") from None
    batch_of = {key: number for number, batch in enumerate(batches) for key in batch.stacks}
    order.sort(key=lambda key: batch_of.get(key, 0))
    position = {key: index for index, key in enumerate(order)}
    return [
        replace(
            host, stacks=tuple(sorted(host.stacks, key=lambda s: position[host.device, s.name]))
        )
        for host in plan.hosts
        if host.stacks
    ]
