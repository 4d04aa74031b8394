"""`paisctl status`: one table of hosts and services."""

from __future__ import annotations

from typing import Annotated

import typer

from paisctl.cli.context import Devices, On, SkipUnreachable, Stacks


def status(
    context: typer.Context,
    devices: Devices = None,
    on: On = None,
    stack: Stacks = None,
    skip_unreachable: SkipUnreachable = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Show what runs where, and whether it is as wanted.

    One line per service: the version wanted and the one that is there, its state, how it differs
    (pending, drift, both, orphan, refused or held), and since when it runs. Below, hosts that are asleep
    and what they owe, those that somebody is changing now or holds, and those whose last run
    failed, went back or broke off.

    \b
    Examples:
      paisctl status
      paisctl status --on layer:knowledge --json
    """
    from paisctl.cli.reach import reach

    wanted = reach(context, devices, on, stack)

    from paisctl.status import standings, survey
    from paisctl.views import status as view
    from paisctl.views.progress import watch_probes

    with watch_probes() as heard, wanted.open(heard, skips_away=skip_unreachable) as session:
        plan = session.plan(wanted.stacks)
        rows = survey(wanted.desired.hosts, session.states, plan, wanted.stacks)
        hosts = standings(session.states)
    show = view.as_json if as_json else view.as_table
    typer.echo(show(rows, hosts), nl=False)
    raise typer.Exit(int(any(row.problem for row in rows)))
