"""Who waits for whom: stacks need stacks on other hosts, and hosts are changed side by side."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from enum import Enum, auto
from graphlib import CycleError, TopologicalSorter

from paisctl.desired import Key
from paisctl.errors import UsageError
from paisctl.events import Outcome, StackEnded
from paisctl.plan import HostPlan, Plan


class Word(Enum):
    """What a host is told when it asks whether to begin a stack."""

    GO = auto()
    SKIP = auto()
    STOP = auto()


class Coordinator:
    """What has become of every stack of a plan; hosts' threads report to it and ask it.

    Args:
        needs: for each stack of the plan, the stacks of the plan that come before it.
    """

    def __init__(self, needs: Mapping[Key, Collection[Key]]) -> None:
        self._needs = needs
        self._ended: dict[Key, StackEnded] = {}
        self._stopped = False
        self._changed = threading.Condition()

    def ended(self, end: StackEnded) -> None:
        """Note the end of a stack; the first word counts."""
        with self._changed:
            self._ended.setdefault((end.device, end.stack), end)
            self._changed.notify_all()

    def stop(self) -> None:
        """Let no further stack begin."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def results(self, device: str) -> dict[str, StackEnded]:
        """The ends of a host's stacks."""
        with self._changed:
            return {stack: end for (name, stack), end in self._ended.items() if name == device}

    def waits_for(self, key: Key) -> list[Key]:
        """What a stack still has to wait for."""
        with self._changed:
            return self._open_needs(key)

    def may_begin(self, key: Key) -> tuple[Word, str]:
        """Wait until it is clear whether a stack may begin; the text says why not."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or self._failed_need(key) or not self._open_needs(key)
            )
            if self._stopped:
                return Word.STOP, "stopped before it began"
            failed = self._failed_need(key)
            if failed is None:
                return Word.GO, ""
            return Word.SKIP, f"it needs {failed.stack} on {failed.device}, which {_what(failed)}"

    def _open_needs(self, key: Key) -> list[Key]:
        return [need for need in self._needs[key] if need not in self._ended]

    def _failed_need(self, key: Key) -> StackEnded | None:
        ends = (self._ended.get(need) for need in self._needs[key])
        return next((end for end in ends if end and end.outcome is not Outcome.APPLIED), None)


def _what(end: StackEnded) -> str:
    return "failed" if end.outcome is Outcome.FAILED else "was not applied"


def needs_within(plan: Plan) -> dict[Key, list[Key]]:
    """The needs among the stacks of a plan; what it does not change is there already."""
    stacks = {(host.device, stack.name): stack for host in plan.hosts for stack in host.stacks}
    return {key: [n for n in stack.needs if n in stacks] for key, stack in stacks.items()}


def in_common_order(plan: Plan) -> list[HostPlan]:
    """The hosts that change, the stacks of all of them in one common order.

    Hosts work through their stacks one by one, so that two hosts with orders of their own could
    wait for each other, although no stack does.

    Raises:
        UsageError: stacks need one another in a circle.
    """
    try:
        order = list(TopologicalSorter(needs_within(plan)).static_order())
    except CycleError as error:
        circle = " → ".join(f"{stack} on {device}" for device, stack in error.args[1])
        raise UsageError(f"stacks need one another in a circle: {circle}") from None
    position = {key: index for index, key in enumerate(order)}
    return [
        replace(
            host, stacks=tuple(sorted(host.stacks, key=lambda s: position[host.device, s.name]))
        )
        for host in plan.hosts
        if host.stacks
    ]
