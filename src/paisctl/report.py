"""How an apply ended: what was planned, what each host says it did, what still differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from paisctl.desired import Key
from paisctl.events import HostResult, Outcome, StackEnded
from paisctl.plan import Plan


@dataclass(frozen=True)
class Report:
    """An apply that has ended.

    `left` is what still differs on the hosts, read again; `unrestored` what on stacks that were
    rolled back is not as it was before.
    """

    plan: Plan
    results: Mapping[str, HostResult]
    left: Plan
    unrestored: Plan = field(default_factory=Plan)

    @property
    def succeeded(self) -> bool:
        """Whether every host did all of its plan, and reading it again proves it."""
        is_done = not (self.troubles or self.unreached or self.unproven.changes)
        return self.plan.is_whole and is_done

    @property
    def troubles(self) -> list[StackEnded]:
        """The stacks that failed or were skipped."""
        ends = (end for result in self.results.values() for end in result.stacks.values())
        return [end for end in ends if end.outcome is not Outcome.APPLIED]

    @property
    def unreached(self) -> list[HostResult]:
        """The hosts whose state after the apply is unknown."""
        return [result for result in self.results.values() if result.problem]

    @property
    def held_back(self) -> bool:
        """Whether no host has begun, since another one could not."""
        ends = [end for result in self.results.values() for end in result.stacks.values()]
        return bool(self.unreached and {end.outcome for end in ends} == {Outcome.SKIPPED})

    @property
    def was_overtaken(self) -> bool:
        """Whether nothing was done since somebody else was faster, and a new plan would do."""
        return self.held_back and all(result.is_overtaken for result in self.unreached)

    @property
    def removed(self) -> set[Key]:
        """The stacks that were to be removed: the inventory does not know them any more."""
        return {
            (host.device, stack.name)
            for host in self.plan.hosts
            for stack in host.stacks
            if not stack.entry
        }

    @property
    def unproven(self) -> Plan:
        """What differs still on stacks that were said to be applied."""
        applied = {
            (name, stack)
            for name, result in self.results.items()
            for stack, end in result.stacks.items()
            if end.outcome is Outcome.APPLIED
        }
        return self.left.only(applied)
