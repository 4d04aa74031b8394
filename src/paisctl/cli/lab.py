"""`paisctl lab`: a copy of the fleet made of containers, to rehearse on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from paisctl.inventory.load import Fleet
    from paisctl.lab.lab import Lab, Replacements

# Docker's library, pydantic and cryptography take most of a second to import, and `--help` needs
# none of them: each command imports what it uses.
# ruff: noqa: PLC0415

app = typer.Typer(no_args_is_help=True, help=__doc__)

Inventory = Annotated[
    list[Path], typer.Option("--inventory", "-i", help="Inventory file; repeat for overlays.")
]
Name = Annotated[
    str | None, typer.Option(help="Name of the lab, to have several.", show_default="the project's")
]
State = Annotated[Path, typer.Option(help="Where the lab keeps its overlay and keys.")]
Device = Annotated[str, typer.Argument(help="Device whose lab host is meant.")]

_INVENTORY = [Path("inventory/pais.yaml")]
_STATE = Path(".paisctl/lab")


@app.command()
def up(
    devices: Annotated[
        list[str] | None, typer.Argument(help="Devices to have a host for; all, if left out.")
    ] = None,
    inventory: Inventory = _INVENTORY,
    name: Name = None,
    state: State = _STATE,
) -> None:
    """Start a lab host for each device, filled with the images that its stacks need.

    Example: paisctl lab up k6 m7-1 nas
    """
    fleet, images = _load(inventory)
    lab = _lab(name, state)
    hosts = lab.up(fleet, devices or [], images)
    typer.echo(f"lab {lab.name}: {len(hosts)} hosts are up", err=True)
    inventories = " ".join(f"-i {path}" for path in [*inventory, _shown(lab.overlay)])
    typer.echo(f"next: paisctl {inventories} plan", err=True)


@app.command()
def status(name: Name = None, state: State = _STATE) -> None:
    """Show each lab host: its state, address, SSH port, profile and engine.

    Example: paisctl lab status
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
    device: Device,
    command: Annotated[list[str] | None, typer.Argument(help="What to run there.")] = None,
    name: Name = None,
    state: State = _STATE,
) -> None:
    """Log in to a lab host as paisctl does, or run a command there.

    Example: paisctl lab ssh k6
    """
    lab = _lab(name, state)
    _replace_process([*lab.ssh_command(lab.host(device)), *(command or [])])


@app.command("exec", context_settings={"ignore_unknown_options": True})
def execute(
    device: Device,
    command: Annotated[list[str], typer.Argument(help="What to run, after `--`.")],
    name: Name = None,
    state: State = _STATE,
) -> None:
    """Run a command on a lab host as root, past its SSH server.

    Example: paisctl lab exec nas -- docker ps
    """
    host = _lab(name, state).host(device)
    terminal = ["-t"] if os.isatty(0) and os.isatty(1) else []
    _replace_process(["docker", "exec", "-i", *terminal, host.container, *command])


@app.command()
def down(
    images: Annotated[
        bool, typer.Option("--images", help="Also remove the images that labs have cached.")
    ] = False,
    name: Name = None,
    state: State = _STATE,
) -> None:
    """Remove the lab: containers, volumes, network and its directory.

    Example: paisctl lab down
    """
    lab = _lab(name, state)
    removed = lab.down(images=images)
    typer.echo(f"lab {lab.name}: {removed} hosts removed, nothing of it is left", err=True)


def _lab(name: str | None, state: Path) -> Lab:
    from python_on_whales import DockerClient

    from paisctl.lab.lab import Lab, default_name

    def say(line: str) -> None:
        typer.echo(f"lab: {line}", err=True)

    return Lab(DockerClient(), name or default_name(Path.cwd()), state, say)


def _load(inventory: list[Path]) -> tuple[Fleet, Replacements]:
    from paisctl.diagnostics import Diagnostics
    from paisctl.errors import InvalidInput
    from paisctl.inventory.load import load
    from paisctl.lab.replacements import replacements
    from paisctl.rendering.catalog import load_catalog, shipped_bundles
    from paisctl.rendering.instances import resolve_instances

    diagnostics = Diagnostics()
    fleet = load(inventory, diagnostics)
    catalog = load_catalog([Path.cwd(), shipped_bundles()], diagnostics)
    instances = resolve_instances(fleet, catalog, diagnostics) if fleet else {}
    if fleet is None or diagnostics.errors:
        raise InvalidInput(diagnostics)
    return fleet, replacements(instances.values())


def _replace_process(command: list[str]) -> None:
    from paisctl.errors import PaisctlError

    try:
        os.execvp(command[0], command)  # noqa: S606 - the user's terminal becomes the program's
    except FileNotFoundError as error:
        message = f"`{command[0]}` is not installed"
        raise PaisctlError(
            message, "install it, for example `apt-get install openssh-client`"
        ) from error


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
