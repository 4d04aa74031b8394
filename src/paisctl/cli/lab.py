"""`paisctl lab`: a copy of the fleet made of containers, to rehearse on."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.cli.context import DEFAULT, Devices, Settings, settings

if TYPE_CHECKING:
    from paisctl.lab.lab import Lab

app = typer.Typer(
    help="A copy of the fleet made of containers, to rehearse on.", no_args_is_help=True
)

Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        help="Name of the lab, to have several. Default: from the project.",
        metavar="NAME",
    ),
]
State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        help="Where the lab keeps its overlay and keys. Default: .paisctl/lab of the project.",
        metavar="DIR",
    ),
]
Host = Annotated[str, typer.Argument(help="The lab host, by its device.", metavar="DEVICE")]


@app.command()
def up(
    context: typer.Context,
    devices: Devices = None,
    name: Name = None,
    state: State = None,
) -> None:
    """Start a lab host for each device, with the images it needs.

    What runs already is left as it is, so that this can be repeated, for example to load an
    image that the inventory asks for now.

    \b
    Example:
      paisctl lab up k6 m7-1 nas
    """
    from paisctl import pipeline
    from paisctl.views.console import plural

    lab = _lab(name, state)
    inventory = _real_fleet(settings(context), lab.overlay).inventory
    hosts = lab.up(pipeline.desire(inventory), devices or [])
    are = "is" if len(hosts) == 1 else "are"
    typer.echo(f"lab {lab.name}: {plural(len(hosts), 'host')} {are} up", err=True)
    typer.echo(f"next: {_plan_command([*inventory, lab.overlay])}", err=True)


@app.command()
def status(name: Name = None, state: State = None) -> None:
    """Show each lab host: state, address, SSH port, profile, engine.

    \b
    Example:
      paisctl lab status
    """
    rows = [("DEVICE", "STATE", "ADDRESS", "SSH", "PROFILE", "ENGINE")]
    for row in _lab(name, state).status():
        host = row.host
        ssh = f"127.0.0.1:{host.port}" if host.port else "-"
        engine = row.engine or "does not answer"
        rows.append((host.device, host.state, host.address, ssh, host.profile, engine))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())


@app.command(context_settings={"ignore_unknown_options": True})
def ssh(
    device: Host,
    command: Annotated[
        list[str] | None, typer.Argument(help="What to run there.", metavar="COMMAND")
    ] = None,
    name: Name = None,
    state: State = None,
) -> None:
    """Log in to a lab host as paisctl does, or run a command there.

    \b
    Example:
      paisctl lab ssh k6
    """
    lab = _lab(name, state)
    _replace_process([*lab.ssh_command(lab.host(device)), *(command or [])])


@app.command("exec", context_settings={"ignore_unknown_options": True})
def execute(
    device: Host,
    command: Annotated[
        list[str], typer.Argument(help="What to run, after `--`.", metavar="COMMAND")
    ],
    name: Name = None,
    state: State = None,
) -> None:
    """Run a command on a lab host as root, past its SSH server.

    \b
    Example:
      paisctl lab exec nas -- docker ps
    """
    host = _lab(name, state).host(device)
    terminal = ["-t"] if os.isatty(0) and os.isatty(1) else []
    _replace_process(["docker", "exec", "-i", *terminal, host.container, *command])


@app.command()
def down(
    images: Annotated[
        bool, typer.Option("--images", help="Also remove the images that no other lab uses.")
    ] = False,
    name: Name = None,
    state: State = None,
) -> None:
    """Remove the lab: containers, volumes, network and its directory.

    \b
    Example:
      paisctl lab down
    """
    from paisctl.views.console import plural

    lab = _lab(name, state)
    removed = plural(lab.down(images=images), "host")
    typer.echo(f"lab {lab.name}: {removed} removed, nothing of it is left", err=True)


def _lab(name: str | None, state: Path | None) -> Lab:
    from paisctl.lab.engine import local_engine
    from paisctl.lab.lab import Lab, default_name

    def say(line: str) -> None:
        typer.echo(f"lab: {line}", err=True)

    project = _project()
    directory = state or project / ".paisctl" / (f"lab-{name}" if name else "lab")
    return Lab(local_engine(), name or default_name(project), directory, say)


def _project() -> Path:
    """The folder whose lab is meant, whatever inventory is in use: the nearest with a default."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / DEFAULT).is_file()), here)


def _replace_process(command: list[str]) -> None:
    from paisctl.errors import PaisctlError

    try:
        os.execvp(command[0], command)  # noqa: S606 - the terminal becomes that of the program
    except FileNotFoundError as error:
        raise PaisctlError(f"`{command[0]}` is not installed here") from error


def _real_fleet(given: Settings, overlay: Path) -> Settings:
    """The inventory without the lab's own overlay, which is there when the lab is in use already.

    With it, a device that is not in the lab yet could not be added, and would not be kept out of
    the new overlay: the next apply would reach the real one.
    """
    return Settings(tuple(path for path in given.given if path.resolve() != overlay))


def _plan_command(inventory: Iterable[Path]) -> str:
    words = (word for path in inventory for word in ("-i", str(_shown(path))))
    return shlex.join(["paisctl", *words, "plan"])


def _shown(path: Path) -> Path:
    path = path.absolute()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
