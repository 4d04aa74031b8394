"""Every command of paisctl, and how a failure ends."""

from __future__ import annotations

import io
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from paisctl import __version__
from paisctl.cli import (
    acl,
    adopt,
    apply,
    backup,
    devices,
    diff,
    history,
    hold,
    init,
    lab,
    lint,
    plan,
    prune,
    render,
    restore,
    rollback,
    rollout,
    schema,
    secrets,
    show,
    status,
    unlock,
    user,
)
from paisctl.cli.context import Settings
from paisctl.errors import InvalidInput, PaisctlError, UsageError
from paisctl.timings import TIMINGS

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 64, 130
BAD_COMMAND_LINE = 2  # what typer makes of a wrong option or argument

app = typer.Typer(
    name="paisctl",
    help="One inventory, many machines: plan and apply Docker Compose stacks over SSH.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # they would print local variables, secrets among them
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
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
            metavar="FILE",
        ),
    ] = None,
    timings: Annotated[
        bool, typer.Option("--timings", help="Say at the end, on stderr, where the time went.")
    ] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Options that come before the command."""
    context.obj = Settings(tuple(inventory or ()))
    if timings:
        context.call_on_close(_say_timings)


def _say_timings() -> None:
    from paisctl.views import timings as view

    typer.echo(view.as_text(TIMINGS), err=True, nl=False)


app.command("init")(init.init)
app.command("lint")(lint.lint)
app.command("render")(render.render)
app.command("plan")(plan.plan)
app.command("apply")(apply.apply)
app.command("adopt")(adopt.adopt)
app.command("prune")(prune.prune)
app.command("diff")(diff.diff)
app.command("status")(status.status)
app.command("history")(history.history)
app.command("rollback")(rollback.rollback)
app.command("rollout")(rollout.rollout)
app.command("backup")(backup.backup)
app.command("restore")(restore.restore)
app.command("hold")(hold.hold)
app.command("release")(hold.release)
app.command("unlock")(unlock.unlock)
app.command("show")(show.show)
app.command("schema")(schema.schema)
app.add_typer(user.app, name="user")
app.add_typer(acl.app, name="acl")
app.add_typer(devices.app, name="devices")
app.add_typer(secrets.app, name="secrets")
app.add_typer(lab.app, name="lab")


def main(arguments: list[str] | None = None) -> None:
    """Run paisctl; exits with 0, 1 (failed), 64 (usage) or 130 (interrupted, or terminated)."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as after nohup
            signal.signal(number, signal.default_int_handler)
    status = run(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # `run` has told of it, or there is nobody to tell
            stream.flush()
    # Python would take all apart first, which takes time, while connections still have threads: what those
    # hold may find half of its module gone, and says so.
    os._exit(status)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status."""
    if sys.stdout is None:  # closed by whoever has started us
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    for stream in (sys.stdout, sys.stderr):
        # What a host says may be no UTF-8, and a terminal may know less than we print.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        ended: int = app(arguments, standalone_mode=False, prog_name="paisctl") or OK
        sys.stdout.flush()
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("\ninterrupted", err=True)
        return INTERRUPTED
    except TyperException as error:
        error.show()  # type: ignore[attr-defined]
        return USAGE if error.exit_code == BAD_COMMAND_LINE else FAILED
    except PaisctlError as error:
        _say(error)
        return USAGE if isinstance(error, UsageError) else FAILED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: there is nobody to tell
        return FAILED
    except OSError as error:
        _say(PaisctlError(f"{error.filename}: {error.strerror}" if error.filename else str(error)))
        return FAILED
    return ended


def _say(error: PaisctlError) -> None:
    from paisctl.views import console, diagnostics

    if isinstance(error, InvalidInput):
        lines = diagnostics.as_lines(error.diagnostics, ())
        typer.echo(console.render(lines), err=True, nl=False)
        return
    typer.echo(console.visible(f"error: {error.message}"), err=True)
    if error.hint:
        typer.echo(console.visible(f"hint: {error.hint}"), err=True)
