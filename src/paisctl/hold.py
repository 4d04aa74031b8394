"""What nobody may change for now, as a host keeps it: `<root>/holds/STACK.json`. Pure.

A hold ends by itself, by the host's own clock. One that cannot be read holds until it is released.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from paisctl.lease import utc
from paisctl.observed import HostState

DEVICE = "_device"  # in place of a stack's name: a hold of all that is on the host


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold of a stack, or of a whole device: then `stack` is empty.

    `until` and `since` are seconds since 1970 by the host's clock; 0 for one that is damaged.
    """

    stack: str
    until: int = 0
    reason: str = ""
    who: str = ""
    machine: str = ""
    since: int = 0

    @property
    def end(self) -> str:
        """When it ends, RFC 3339 in UTC; empty for one that is damaged."""
        return utc(self.until) if self.until else ""

    @property
    def name(self) -> str:
        """What its file is called, without the ending."""
        return self.stack or DEVICE

    def covers(self, stack: str) -> bool:
        return self.stack in ("", stack)

    def __str__(self) -> str:
        if not self.until:
            return "held by somebody (the hold is damaged)"
        end = self.end[:16].replace("T", " ")
        return f"held until {end} UTC by {self.who}@{self.machine}: {self.reason}"

    def to_json(self) -> str:
        """Its text on the host, on one line. `said` comes last, for a shell to find it."""
        members = {
            "until": self.until,
            "reason": self.reason,
            "who": self.who,
            "machine": self.machine,
            "since": self.since,
            "said": str(self),
        }
        return json.dumps(members, ensure_ascii=False)


def holds_of(state: HostState) -> tuple[Hold, ...]:
    """The holds on a host that have not ended, that of the whole device first."""
    found = {hold.stack: hold for hold in _parsed(state)}
    valid = (hold for hold in found.values() if not 0 < hold.until <= state.epoch)
    return tuple(sorted(valid, key=lambda hold: hold.stack))


def hold_of(state: HostState, stack: str) -> Hold | None:
    """The hold that keeps a stack from being changed: its own before that of its device."""
    covering = [hold for hold in holds_of(state) if hold.covers(stack)]
    return covering[-1] if covering else None


def _parsed(state: HostState) -> Iterator[Hold]:
    for line in state.holds:
        path, _, text = line.partition(".json:")
        name = path.rpartition("/")[2]
        yield _parse("" if name == DEVICE else name, text)


def _parse(stack: str, text: str) -> Hold:
    try:
        data = json.loads(text)
        reason, who, machine = (
            " ".join(str(data[key]).split()) for key in ("reason", "who", "machine")
        )
        return Hold(stack, max(1, int(data["until"])), reason, who, machine, int(data["since"]))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return Hold(stack)
