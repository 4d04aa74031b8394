"""How an apply is to be carried out, and what the hosts write down about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from paisctl.execution.batches import Pace


@dataclass(frozen=True, slots=True)
class Conduct:
    """What holds for one run on all its hosts.

    Attributes:
        command: what was typed, for logs and locks: `apply`, `rollback to 6`.
        revision: the git revision of the inventory; empty when there is none.
        plan: digest of the plan.
        rollback: whether a host on which a stack fails goes back to its generation before.
        forward_only: hosts that do not, since the version before may not read the data any more.
        wait: seconds to wait for somebody else's lock.
        keep: how many generations a host keeps, the new one included.
        heeds_holds: whether a stack is skipped that was held since it was planned.
        pace: which hosts come first, how many are changed at once, and when that ends.
    """

    command: str = "apply"
    revision: str = ""
    plan: str = ""
    rollback: bool = True
    forward_only: frozenset[str] = frozenset()
    wait: float = 0.0
    keep: int = 10
    heeds_holds: bool = True
    pace: Pace = field(default_factory=Pace)

    def goes_back(self, device: str) -> bool:
        """Whether a host goes back by itself when a stack fails on it."""
        return self.rollback and device not in self.forward_only
