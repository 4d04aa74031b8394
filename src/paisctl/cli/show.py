"""`paisctl show DEVICE`: a device as resolved, and where each value came from."""

from __future__ import annotations

from typing import Annotated

import typer

from paisctl.cli.context import settings


def show(
    context: typer.Context,
    device: Annotated[str, typer.Argument(help="A device of the inventory.", metavar="DEVICE")],
) -> None:
    """Print a device as resolved, and where each value came from.

    \b
    Example:
      paisctl show k6
    """
    from paisctl import pipeline
    from paisctl.diagnostics import did_you_mean
    from paisctl.errors import UsageError
    from paisctl.views import device as view

    desired = pipeline.desire(settings(context).inventory)
    if device not in desired.fleet.devices:
        hint = did_you_mean(device, desired.fleet.devices, "devices")
        raise UsageError(f"there is no device `{device}` in the inventory", hint)
    typer.echo(view.as_text(desired.fleet, desired.graph, device), nl=False)
