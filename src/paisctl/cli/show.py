"""`paisctl show`: a device as resolved, and where each value came from; or a saved plan."""

from __future__ import annotations

from typing import Annotated

import typer

from paisctl.cli.context import settings
from paisctl.cli.saved import named_plan


def show(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(help="A device of the inventory, or a saved plan.", metavar="DEVICE|FILE"),
    ],
) -> None:
    """Print a device as resolved, and where each value came from. Or print a saved plan.

    \b
    Examples:
      paisctl show k6
      paisctl show plan.json
    """
    from paisctl import plan_file
    from paisctl.views import saved_plan as view

    file = named_plan(context, [what])
    if file:
        typer.echo(view.as_text(plan_file.read(file)), nl=False)
    else:
        _show_device(context, what)


def _show_device(context: typer.Context, device: str) -> None:
    from paisctl import pipeline
    from paisctl.diagnostics import did_you_mean
    from paisctl.errors import UsageError
    from paisctl.views import device as view

    desired = pipeline.desire(settings(context).inventory)
    if device not in desired.fleet.devices:
        hint = did_you_mean(device, desired.fleet.devices, "devices")
        raise UsageError(f"there is no device `{device}` in the inventory", hint)
    typer.echo(view.as_text(desired.fleet, desired.graph, device), nl=False)
