"""What devices that sleep were given, or owe: remembered by the others once an apply has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from paisctl.events import HostResult
    from paisctl.inventory.load import Fleet
    from paisctl.plan import Plan
    from paisctl.session import Session


def remember(session: Session, plan: Plan, results: Mapping[str, HostResult], fleet: Fleet) -> None:
    """Have it written down where it is not yet; that this fails somewhere is no failure of an apply.

    Args:
        session: the hosts, read.
        plan: what was carried out.
        results: how that ended; empty when there was nothing to do.
        fleet: says which devices may sleep.
    """
    sleepers = [name for name, each in fleet.devices.items() if not each.device.required]
    if failed := session.remember(plan, results, sleepers) if sleepers else []:
        names = ", ".join(failed)
        typer.echo(f"note: {names} could not take down what others were given, or owe", err=True)
