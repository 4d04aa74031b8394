"""Every command of paisctl, and how a failure ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import click
import typer

from paisctl import __version__
from paisctl.cli import (
    apply,
    init,
    lab,
    lint,
    plan,
    render,
    schema,
    secrets,
    show,
    status,
)
from paisctl.cli.context import Settings
from paisctl.errors import InvalidInput, PaisctlError, UsageError

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 64, 130

app = typer.Typer(
    name="paisctl",
    help="One inventory, many machines: plan and apply Docker Compose stacks over SSH.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"paisctl {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    inventory: Annotated[
        list[Path] | None,
        typer.Option(
            "-i",
            "--inventory",
            help="Inventory file; more of them are laid over it, in order. "
            "Default: inventory/pais.yaml here or in a folder above.",
            envvar="PAISCTL_INVENTORY",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Options that come before the command."""
    context.obj = Settings(tuple(inventory or ()))


app.command("init")(init.init)
app.command("lint")(lint.lint)
app.command("render")(render.render)
app.command("plan")(plan.plan)
app.command("apply")(apply.apply)
app.command("status")(status.status)
app.command("show")(show.show)
app.command("schema")(schema.schema)
app.add_typer(secrets.app, name="secrets")
app.add_typer(lab.app, name="lab")


def main(arguments: list[str] | None = None) -> None:
    """Run paisctl; exits with 0, 1 (failed), 64 (usage) or 130 (interrupted)."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status."""
    try:
        return app(arguments, standalone_mode=False, prog_name="paisctl") or OK
    except click.UsageError as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        typer.echo("\ninterrupted", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return FAILED
    except PaisctlError as error:
        _say(error)
        return USAGE if isinstance(error, UsageError) else FAILED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: there is nobody to tell
        return FAILED


def _say(error: PaisctlError) -> None:
    from paisctl.views.diagnostics import as_text  # noqa: PLC0415

    if isinstance(error, InvalidInput):
        typer.echo(as_text(error.diagnostics), err=True, nl=False)
        return
    typer.echo(f"error: {error.message}", err=True)
    if error.hint:
        typer.echo(f"hint: {error.hint}", err=True)
