"""`paisctl diff`: how hosts differ from the inventory, or from a generation, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.cli.context import Devices, On, SkipUnreachable, Stacks, settings

if TYPE_CHECKING:
    from paisctl.plan import Plan


def diff(
    context: typer.Context,
    devices: Devices = None,
    generation: Annotated[
        int | None,
        typer.Option(
            "--generation",
            min=1,
            help="What going back to this generation would change.",
            metavar="N",
            show_default=False,
        ),
    ] = None,
    on: On = None,
    stack: Stacks = None,
    skip_unreachable: SkipUnreachable = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show how hosts differ from the inventory, files line by line. Changes nothing.

    The same as `paisctl plan --diff`; with `--generation`, as what `paisctl rollback --to` would
    show. Texts with secrets are not shown.

    Exits with 0, or with 1 when a host could not be read.

    \b
    Examples:
      paisctl diff k6
      paisctl diff k6 --generation 6
    """
    from paisctl.views import human, json

    if generation is None:
        plan = _from_inventory(context, devices, on, stack, skip_unreachable)
    else:
        plan = _from_generation(context, devices, on, stack, generation)
    typer.echo(json.plan(plan) if as_json else human.plan(plan, show_diffs=True), nl=False)
    raise typer.Exit(int(not plan.is_whole))


def _from_inventory(
    context: typer.Context,
    names: list[str] | None,
    on: str | None,
    stack: list[str] | None,
    skips_away: bool,
) -> Plan:
    from paisctl.cli.reach import reach

    wanted = reach(context, names, on, stack, texts=True)

    from paisctl.views.progress import watch_probes

    with watch_probes() as heard, wanted.open(heard, skips_away=skips_away) as session:
        return session.plan(wanted.stacks)


def _from_generation(
    context: typer.Context,
    names: list[str] | None,
    on: str | None,
    stack: list[str] | None,
    generation: int,
) -> Plan:
    from paisctl import pipeline
    from paisctl.inventory.selection import select
    from paisctl.rollback import open_rollback
    from paisctl.views.progress import watch_probes

    fleet = pipeline.read_fleet(settings(context).inventory)
    chosen = select(fleet, names or (), on)
    with (
        watch_probes() as listener,
        open_rollback(fleet, chosen, listener, generation, texts=True) as back,
    ):
        return back.plan(stack or ())
