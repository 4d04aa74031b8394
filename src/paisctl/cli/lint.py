"""`paisctl lint`: every problem of an inventory at once. Touches no host."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from paisctl.cli.context import settings


class Format(StrEnum):
    """How problems are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def lint(
    context: typer.Context,
    output: Annotated[
        Format,
        typer.Option("--format", help="For people, programs, pull requests or code scanning."),
    ] = Format.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on warnings too.")] = False,
) -> None:
    """Check the inventory, the stacks it uses and what they render to. Touches no host.

    Exits with 0 when there are no errors, with 1 otherwise.

    \b
    Examples:
      paisctl lint
      paisctl -i inventory/pais.yaml -i overlay.yaml lint --strict
      paisctl lint --format github
    """
    from paisctl import pipeline
    from paisctl.views import console
    from paisctl.views import diagnostics as view

    paths = settings(context).inventory
    found = pipeline.lint(paths)
    if output is Format.TEXT:
        text = console.render(view.as_lines(found, paths))
    else:
        views = {
            Format.JSON: view.as_json,
            Format.GITHUB: view.as_github,
            Format.SARIF: view.as_sarif,
        }
        text = views[output](found)
    typer.echo(text, nl=False)
    raise typer.Exit(int(bool(found.errors or (strict and found.warnings))))
