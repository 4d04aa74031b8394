"""`paisctl history`: what was applied to the hosts, when, and by whom."""

from __future__ import annotations

from typing import Annotated

import typer

from paisctl.cli.context import Devices, On, settings


def history(
    context: typer.Context,
    devices: Devices = None,
    on: On = None,
    every: Annotated[
        bool,
        typer.Option(
            "--all", help="Every run, by time: also those that failed, went back or broke off."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show the generations that hosts keep, or every run on them.

    A generation is what one apply left on a host; `*` marks the one it is at. `paisctl diff
    --generation N` shows what going back would change, `paisctl rollback` goes back.

    Exits with 0, or with 1 when a host could not be read.

    \b
    Examples:
      paisctl history k6
      paisctl history --all --json
    """
    from paisctl import pipeline
    from paisctl.inventory.selection import select
    from paisctl.rollback import remember
    from paisctl.views import history as view
    from paisctl.views.progress import watch_probes

    fleet = pipeline.read_fleet(settings(context).inventory)
    chosen = select(fleet, devices or (), on)
    with watch_probes() as listener:
        states = remember(fleet, chosen, listener)
    if every:
        text = view.runs_as_json(states) if as_json else view.runs(states)
    else:
        text = view.generations_as_json(states) if as_json else view.generations(states)
    typer.echo(text, nl=False)
    raise typer.Exit(int(not all(view.was_read(state) for state in states.values())))
