"""`paisctl rollback`: back to what a generation had."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Annotated

import typer

from paisctl.cli.carry_out import (
    APPLY,
    How,
    NoRollback,
    Transaction,
    Wait,
    Yes,
    carry_out,
    confirm,
)
from paisctl.cli.context import Devices, Diff, On, Stacks, seconds_of, settings
from paisctl.errors import UsageError

To = Annotated[
    int | None,
    typer.Option(
        "--to",
        min=1,
        help="The generation to go back to. Default: each host's own before its current one; its "
        "current one where the last run failed halfway.",
        metavar="N",
        show_default=False,
    ),
]


def rollback(
    context: typer.Context,
    devices: Devices = None,
    *,
    to: To = None,
    on: On = None,
    stack: Stacks = None,
    yes: Yes = False,
    diff: Diff = False,
    no_rollback: NoRollback = False,
    transaction: Transaction = None,
    wait: Wait = "0s",
) -> None:
    """Bring hosts back to what a generation had. Shows the plan and asks first.

    All that it takes is on the hosts; of the inventory it needs only how to reach them. Stacks
    that the generation did not have are taken down. Volumes are never touched: data stays as it
    is now. Going back makes a new generation, so that it can be undone in the same way.

    The inventory still says what it says: change it too, or the next apply goes forward again.

    \b
    Examples:
      paisctl rollback k6
      paisctl rollback k6 --to 6 --stack redis-cache
      paisctl history k6               # what there is to go back to
    """
    if to is not None and not devices and on is None:
        raise UsageError(
            "each host counts its own generations",
            f"name the devices: paisctl rollback DEVICE --to {to}",
        )
    how = How(yes, no_rollback, transaction, seconds_of("--wait", wait), replans=True)
    _roll_back(context, devices, on, to, stack, how, diff)


def _roll_back(
    context: typer.Context,
    names: list[str] | None,
    on: str | None,
    to: int | None,
    stack: list[str] | None,
    how: How,
    diff: bool,
) -> None:
    from paisctl import pipeline
    from paisctl.inventory.selection import select
    from paisctl.rollback import open_rollback
    from paisctl.views import human
    from paisctl.views.progress import watch_probes

    while True:  # anew after waiting for others
        fleet = pipeline.read_fleet(settings(context).inventory)
        chosen = select(fleet, names or (), on)
        with ExitStack() as open_session:
            with watch_probes() as listener:
                back = open_session.enter_context(
                    open_rollback(fleet, chosen, listener, to, texts=diff)
                )
            plan = back.plan(stack or ())
            typer.echo(human.plan(plan, show_diffs=diff), nl=False)
            if not plan:
                raise typer.Exit(int(not plan.is_whole))
            back_to = {device: aim.number for device, aim in back.aims.items()}
            how = replace(how, command=back.command, back_to=back_to)
            pace = how.pace(plan, fleet)
            confirm(APPLY, yes=how.yes)
            carry_out(back.session, plan, how, pace, fleet, back.revision)
