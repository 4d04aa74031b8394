"""`paisctl hold` and `paisctl release`: what nobody may change for now."""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.cli.context import settings
from paisctl.errors import HostError, UsageError

if TYPE_CHECKING:
    from paisctl.hold import Hold
    from paisctl.inventory.load import Fleet
    from paisctl.observed import HostState
    from paisctl.targets import Target

What = Annotated[
    str,
    typer.Argument(
        help="A device, or one stack of it.", metavar="DEVICE[/STACK]", show_default=False
    ),
]
Until = Annotated[
    str,
    typer.Option(
        "--until",
        help="When it ends: in `2h` or `3d`, or on `2026-12-01`, at `2026-12-01T18:00` (local "
        "time). At most a year from now.",
        metavar="WHEN",
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever finds it.", metavar="TEXT")]


def hold(
    context: typer.Context,
    what: What,
    *,
    until: Until,
    reason: Reason,
) -> None:
    """Have a device or a stack left alone by everybody until then. It is written on the host.

    Plans count what is left alone, and applies go on with the rest; rollouts and rollbacks of it are
    refused. An apply that goes on already ends the stack that it is in, and begins no held one. What
    runs is not touched. A hold in place of one that is there changes it.

    \b
    Examples:
      paisctl hold k6/qdrant --until 2h --reason "reindexing"
      paisctl hold nas --until 2026-12-01T18:00 --reason "disks are being swapped"
    """
    from paisctl.execution.holding import place
    from paisctl.hold import Hold
    from paisctl.lease import lease_of

    if not reason.strip() or not reason.isprintable():
        raise UsageError("--reason says on one line why it is held")
    _end(until, time.time())  # so that no host is asked for nothing
    with _host(context, what) as (target, state, stack):
        end = _end(until, state.epoch)
        who, machine = getpass.getuser(), socket.gethostname()
        placed = Hold(stack, end, " ".join(reason.split()), who, machine, state.epoch)
        place(target, state, placed)
        typer.echo(f"{what} is {placed}")
        lease = lease_of(state)
        if lease and lease.is_held:
            typer.echo(f"note: it is being changed by {lease}, who may end a stack", err=True)
        typer.echo(f"end it earlier: paisctl release {what}", err=True)


def _end(until: str, there: float) -> int:
    """When a hold ends by the clock of whoever keeps it, which says `there` now."""
    from paisctl.inventory.moments import parse_moment

    try:
        return parse_moment(until, now=time.time(), there=round(there))
    except ValueError as error:
        raise UsageError(f"--until: {error}") from None


def release(context: typer.Context, what: What) -> None:
    """End a hold of a device or a stack. What was left alone is in the next plan again.

    \b
    Examples:
      paisctl release k6/qdrant
    """
    from paisctl.execution.holding import release
    from paisctl.hold import holds_of

    with _host(context, what) as (target, state, stack):
        held = {each.stack: each for each in holds_of(state)}
        if stack not in held or not release(target, state, held[stack]):
            typer.echo(f"{what} is not held{_others(target.device, list(held.values()))}")
            return
        typer.echo(f"released {what}, which was {held[stack]}")


def _others(device: str, held: list[Hold]) -> str:
    """What is held there besides."""
    names = ", ".join(f"{device}/{each.stack}" if each.stack else device for each in held)
    return f"; held there: {names}" if names else ""


@contextmanager
def _host(context: typer.Context, what: str) -> Iterator[tuple[Target, HostState, str]]:
    """The host that is meant, read, and the stack on it that is meant; empty for all of it."""
    from paisctl import pipeline

    device, slash, stack = what.partition("/")
    fleet = pipeline.read_fleet(settings(context).inventory)
    target = _target(fleet, device)
    try:
        state = _read(target)
        if slash:
            _require(stack, fleet, state)
        yield target, state, stack
    finally:
        target.close()


def _target(fleet: Fleet, device: str) -> Target:
    from paisctl.inventory.selection import select
    from paisctl.rollback import bare_targets

    if device not in select(fleet, [device]):
        raise UsageError(f"`{device}` is a pattern", "name one device, or one stack of it")
    [target] = bare_targets(fleet, [device])
    return target


def _read(target: Target) -> HostState:
    from paisctl.observe import observe
    from paisctl.views.progress import watch_probes

    with watch_probes() as listener:
        [state] = observe([target], listener).values()
    if not state.root:
        why = "cannot be reached, and holds are kept on it" if state.is_away else "was not read"
        raise HostError(f"{target.device} {why}: {state.problem}", state.hint)
    return state


def _require(stack: str, fleet: Fleet, state: HostState) -> None:
    """Insist on a stack that the inventory puts there or that is there.

    Raises:
        UsageError: it is neither.
    """
    from paisctl.diagnostics import did_you_mean
    from paisctl.hold import holds_of
    from paisctl.manifest import UnusableManifest, parse_manifest

    known = {*fleet.devices[state.device].device.stacks, *(h.stack for h in holds_of(state))}
    known |= {container.stack for container in state.containers if container.stack}
    with suppress(UnusableManifest):
        known |= set(parse_manifest(state.manifest).stacks)
    known.discard("")  # what holds the whole device
    if stack not in known:
        hint = did_you_mean(stack, known, "stacks")
        raise UsageError(f"there is no stack `{stack}` on {state.device}", hint)
