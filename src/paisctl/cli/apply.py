"""`paisctl apply`: show the plan, ask, carry it out, prove it."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Annotated

import typer

from paisctl.cli.context import Devices, On, Stacks, settings
from paisctl.errors import UsageError


def apply(
    context: typer.Context,
    devices: Devices = None,
    on: On = None,
    stack: Stacks = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show changed files line by line.")] = False,
) -> None:
    """Bring the hosts to what the inventory says. Shows the plan and asks first.

    Hosts are changed side by side, and read again afterwards to prove it. Exits with 0 when
    everything was done, with 1 when something was not.

    \b
    Examples:
      paisctl apply
      paisctl apply k6 --stack redis-cache
      paisctl apply --yes              # in a script
    """
    from paisctl import pipeline
    from paisctl.cli.choose import choose
    from paisctl.execution.conduct import Conduct
    from paisctl.views import human
    from paisctl.views.progress import watch_apply, watch_probes

    desired = pipeline.desire(settings(context).inventory)
    chosen, stacks = choose(desired, devices, on, stack)
    with ExitStack() as open_session:
        with watch_probes() as listener:
            session = open_session.enter_context(
                pipeline.session(desired, chosen, listener, texts=diff)
            )
        plan = session.plan(stacks)
        typer.echo(human.plan(plan, show_diffs=diff), nl=False)
        if not plan:
            raise typer.Exit(int(bool(plan.problems)))
        _ask(yes)
        try:
            with watch_apply(plan) as listener:
                results = session.apply(plan, listener, Conduct())
        except KeyboardInterrupt:
            typer.echo("\nstopped; `paisctl plan` shows what is left to do", err=True)
            raise
        report = session.report(plan, results)
    typer.echo(human.report(report), nl=False)
    raise typer.Exit(int(not report.succeeded))


def _ask(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on", "add --yes to apply without being asked")
    if not typer.confirm("\nApply these changes?", err=True):
        typer.echo("nothing was changed", err=True)
        raise typer.Exit(1)
