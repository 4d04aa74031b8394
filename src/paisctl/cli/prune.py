"""`paisctl prune`: remove what paisctl made and nothing wants any more, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.cli.carry_out import How, Transaction, Wait, Yes, carry_out, confirm
from paisctl.cli.context import Devices, On, seconds_of
from paisctl.errors import UsageError

if TYPE_CHECKING:
    from paisctl.session import Session

Stacks = Annotated[
    list[str] | None,
    typer.Option(
        "--stack", help="Only this stack, also one that is gone; may be repeated.", metavar="STACK"
    ),
]


def prune(
    context: typer.Context,
    devices: Devices = None,
    *,
    on: On = None,
    stack: Stacks = None,
    yes: Yes = False,
    transaction: Transaction = None,
    wait: Wait = "0s",
) -> None:
    """Remove what paisctl made on hosts and the inventory has no more. Shows it and asks first.

    These are stacks, services and files. All else that differs is left alone, and so are volumes and
    what paisctl did not make. `apply` removes the same, with all its other changes.

    \b
    Examples:
      paisctl prune nas --stack tesseract
    """
    from paisctl.cli.reach import reach
    from paisctl.provenance import git_revision
    from paisctl.reconcile import Scope
    from paisctl.views import human
    from paisctl.views.progress import watch_probes

    how = How(yes, transaction=transaction, wait=seconds_of("--wait", wait), command="prune")
    wanted = reach(context, devices, on, None)
    fleet = wanted.desired.fleet
    with watch_probes() as heard, wanted.open(heard) as session:
        _require(stack or (), session, {*wanted.desired.catalog.stacks})
        plan = session.plan(stack or (), Scope.ORPHAN)
        typer.echo(human.plan(plan), nl=False)
        if not plan:
            raise typer.Exit(int(not plan.is_whole))
        pace = how.pace(plan, fleet)
        confirm("Remove these?", yes=yes)
        carry_out(session, plan, how, pace, fleet, git_revision(fleet.directory))


def _require(stacks: list[str] | tuple[str, ...], session: Session, known: set[str]) -> None:
    """Insist on stacks that a host has or the inventory could have.

    Raises:
        UsageError: one is nowhere.
    """
    from paisctl.diagnostics import did_you_mean

    for state in session.states.values():
        known.update(container.stack for container in state.containers if container.stack)
    known.update(session.applied_stacks)
    for stack in stacks:
        if stack not in known:
            raise UsageError(f"there is no stack `{stack}`", did_you_mean(stack, known, "stacks"))
