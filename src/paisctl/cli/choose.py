"""From what was typed to the devices and stacks that are meant."""

from __future__ import annotations

from collections.abc import Iterable

from paisctl.diagnostics import did_you_mean
from paisctl.errors import UsageError
from paisctl.inventory.selection import select
from paisctl.pipeline import Desired


def choose(
    desired: Desired,
    names: Iterable[str] | None,
    selector: str | None,
    stacks: Iterable[str] | None,
) -> tuple[list[str], list[str]]:
    """The chosen devices and stacks.

    Raises:
        UsageError: one of them does not exist.
    """
    wanted = list(stacks or ())
    for stack in wanted:
        if stack not in desired.catalog.stacks:
            hint = did_you_mean(stack, desired.catalog.stacks, "stacks")
            raise UsageError(f"there is no stack `{stack}`", hint)
    return select(desired.fleet, names or (), selector), wanted
