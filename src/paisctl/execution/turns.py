"""Whose turn it is: batch after batch, so many hosts at once, and no more after too many failures."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from paisctl.desired import Key
from paisctl.events import BatchBegins, Listener, Outcome, StackEnded
from paisctl.execution.batches import Batch, Pace

_FAILURES = (Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.STRANDED)


class Turns:
    """Goes through batches. It is for one thread at a time: a Coordinator sees to that.

    Args:
        batches: the batches, in their order.
        pace: how many hosts at once, how long between two batches, and when it ends.
        listener: told when another batch has its turn, if there are several.
    """

    def __init__(self, batches: Sequence[Batch], pace: Pace, listener: Listener) -> None:
        self._batches = batches
        self._pace = pace
        self._listener = listener
        self._number = -1  # of the batch that has its turn
        self._begins = 0.0  # by the monotonic clock
        self._inside: set[str] = set()
        last = {device: number for number, b in enumerate(batches) for device, _ in b.stacks}
        self._leaving = [{d for d in last if last[d] == number} for number in range(len(batches))]

    def go_on(self, ended: Mapping[Key, StackEnded], over: Collection[str]) -> None:
        """Let the next batch have its turn, unless this one is not over yet.

        Args:
            ended: the stacks that have ended.
            over: the hosts that have ended as a whole: they were read again, or broke off.
        """
        if self._number >= 0 and not self._is_over(self._number, ended, over):
            return
        for number in range(self._number + 1, len(self._batches)):
            if not self._has_ended(number, ended):
                pause = self._pace.pause if self._number >= 0 else 0.0
                self._number, self._begins = number, time.monotonic() + pause
                self._tell(number, pause)
                return

    def _has_ended(self, number: int, ended: Mapping[Key, StackEnded]) -> bool:
        return self._batches[number].stacks <= ended.keys()

    def _is_over(self, number: int, ended: Mapping[Key, StackEnded], over: Collection[str]) -> bool:
        """Whether all of a batch has ended, and the hosts that no later batch needs were read again."""
        return self._has_ended(number, ended) and self._leaving[number] <= set(over)

    def _tell(self, number: int, pause: float) -> None:
        if len(self._batches) > 1:
            batch = self._batches[number]
            devices = (*batch.devices, *batch.brought)
            self._listener(BatchBegins(number + 1, len(self._batches), devices, pause))

    def may(self, key: Key) -> bool:
        """Whether a stack that lacks nothing may begin now."""
        limit = self._pace.max_parallel
        is_free = limit is None or len(self._inside) < limit
        batches = self._batches[: self._number + 1]
        return is_free and not self.pause and any(key in batch.stacks for batch in batches)

    @property
    def pause(self) -> float:
        """Seconds until the batch whose turn it is begins; 0 when it has begun."""
        return max(0.0, self._begins - time.monotonic())

    def began(self, device: str) -> None:
        """A host is inside a stack."""
        self._inside.add(device)

    def ended(self, device: str) -> None:
        """A host is no more inside a stack."""
        self._inside.discard(device)

    def verdict(
        self, ends: Mapping[Key, StackEnded], over: Collection[str], bad: Collection[str]
    ) -> str:
        """Why nothing more may begin; empty while it may.

        Args:
            ends: the stacks that have ended.
            over: the hosts that have ended as a whole: they were read again, or broke off.
            bad: the hosts that have broken off, or are not as planned when read again.
        """
        failed = {*bad, *(d for (d, _), end in ends.items() if end.outcome in _FAILURES)}
        if self._batches and self._batches[0].is_canary and self._is_over(0, ends, over):
            for canary in self._batches[0].devices:
                if canary in failed:
                    return f"the canary {canary} failed"
                outcomes = {end.outcome for (device, _), end in ends.items() if device == canary}
                if Outcome.SKIPPED in outcomes:
                    return f"the canary {canary} was not applied"
        limit = self._pace.max_failures
        if limit is not None and len(failed) > limit:
            hosts = "1 host has" if len(failed) == 1 else f"{len(failed)} hosts have"
            return f"{hosts} failed, more than --max-failures {limit}"
        return ""
