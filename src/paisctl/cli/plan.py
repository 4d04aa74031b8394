"""`paisctl plan`: what would change, and why. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.cli.context import Devices, On, Stacks, settings

if TYPE_CHECKING:
    from paisctl.plan import Plan


def plan(
    context: typer.Context,
    devices: Devices = None,
    on: On = None,
    stack: Stacks = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show changed files line by line.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode",
            help="Exit with 0: nothing to do, 2: pending changes, 3: drift only, "
            "4: a host could not be read, 1: failed.",
        ),
    ] = False,
) -> None:
    """Show what differs between the inventory and the hosts. Changes nothing.

    Signs: + create, ~ change, ! mend (the host drifted), - remove, ? not read.

    Exits with 0, or with 1 when a host could not be read.

    \b
    Examples:
      paisctl plan
      paisctl plan 'm7-*' --stack qdrant --diff
      paisctl plan --on layer:knowledge --detailed-exitcode
    """
    from paisctl import pipeline
    from paisctl.cli.choose import choose
    from paisctl.views import human, json
    from paisctl.views.progress import watch_probes

    desired = pipeline.desire(settings(context).inventory)
    chosen, stacks = choose(desired, devices, on, stack)
    with (
        watch_probes() as listener,
        pipeline.session(desired, chosen, listener, texts=diff) as session,
    ):
        result = session.plan(stacks)
    typer.echo(json.plan(result) if as_json else human.plan(result, show_diffs=diff), nl=False)
    raise typer.Exit(_detailed(result) if detailed_exitcode else int(bool(result.problems)))


def _detailed(plan: Plan) -> int:
    if plan.problems:
        return 4
    if not plan:
        return 0
    return 3 if plan.is_drift_only else 2
