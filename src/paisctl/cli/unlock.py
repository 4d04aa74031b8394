"""`paisctl unlock`: take away the lock of a run that is not going to release it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.cli.carry_out import Yes, confirm
from paisctl.cli.context import settings
from paisctl.errors import HostError, UsageError

if TYPE_CHECKING:
    from paisctl.inventory.load import Fleet
    from paisctl.lease import Lease
    from paisctl.observed import HostState
    from paisctl.targets import Target


def unlock(
    context: typer.Context,
    device: Annotated[
        str, typer.Argument(help="The device, by name.", show_default=False, metavar="DEVICE")
    ],
    yes: Yes = False,
) -> None:
    """Take away the lock on a host. Shows who holds it, and asks first.

    Seldom needed: the lock of a run that is no more is nobody's, and the next apply takes no
    notice of it. A run that still goes on stops before its next step when its lock is taken away.

    \b
    Examples:
      paisctl unlock k6
    """
    from paisctl import pipeline
    from paisctl.lease import lease_of
    from paisctl.views import lease as view

    fleet = pipeline.read_fleet(settings(context).inventory)
    target = _target(fleet, device)
    try:
        state = _read(target)
        lease = lease_of(state)
        if lease is None:
            typer.echo(f"{device} is not locked")
            return
        typer.echo(view.describe(device, lease), nl=False)
        confirm("Take this lock away?", yes=yes)
        _unlock(target, state, lease)
    finally:
        target.close()


def _target(fleet: Fleet, device: str) -> Target:
    from paisctl.inventory.selection import select
    from paisctl.rollback import bare_targets

    if device not in select(fleet, [device]):
        raise UsageError(f"`{device}` is a pattern", "name one device; locks go one at a time")
    [target] = bare_targets(fleet, [device])
    return target


def _read(target: Target) -> HostState:
    from paisctl.observe import observe
    from paisctl.views.progress import watch_probes

    with watch_probes() as listener:
        [state] = observe([target], listener).values()
    if not state.root:
        raise HostError(f"{target.device} could not be read: {state.problem}", state.hint)
    return state


def _unlock(target: Target, state: HostState, lease: Lease) -> None:
    from paisctl.execution.unlock import Unlocking, unlock

    device = target.device
    match unlock(target, state, lease):
        case Unlocking.DONE:
            typer.echo(f"unlocked {device}; see where it is: paisctl plan {device}")
        case Unlocking.GONE:
            typer.echo(f"{device} is not locked any more: the run has released it")
        case Unlocking.CHANGED:
            raise HostError(
                f"{device} is locked by another run by now, which was left alone",
                f"look again: paisctl unlock {device}",
            )
