"""`paisctl secrets`: generate what is missing, list what there is. Values are never shown."""

from __future__ import annotations

import typer

from paisctl.cli.context import settings

app = typer.Typer(help="Secret values: generated once, never shown.", no_args_is_help=True)


@app.command("init")
def init(context: typer.Context) -> None:
    """Generate the secrets that have no value yet. One that has a value is never touched.

    They go to secrets.yaml beside the inventory, mode 0600: keep it out of git, and keep a copy.

    \b
    Example:
      paisctl secrets init
    """
    from paisctl import pipeline
    from paisctl.secrets import init_secrets, load_vault
    from paisctl.views.console import plural

    fleet = pipeline.desire(settings(context).inventory).fleet
    known = fleet.inventory.secrets
    lengths = {name: secret.bytes for name, secret in known.items() if not secret.given}
    path = fleet.secrets_file
    made = init_secrets(path, lengths)
    for name in made:
        typer.echo(f"generated {name}")
    missing = load_vault(path).missing(known)
    for name in missing:
        typer.echo(f"to be written there by hand: {name} ({known[name].description})")
    typer.echo(
        f"{path} has {plural(len(known) - len(missing), 'secret')} (mode 0600); never commit it",
        err=True,
    )


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the secrets, whether each has a value, what it protects.

    \b
    Example:
      paisctl secrets list
    """
    from paisctl import pipeline
    from paisctl.secrets import load_vault

    fleet = pipeline.desire(settings(context).inventory).fleet
    missing = load_vault(fleet.secrets_file).missing(fleet.inventory.secrets)
    for name, secret in sorted(fleet.inventory.secrets.items()):
        state = "missing" if name in missing else "set"
        typer.echo(f"{name}  {state}  {secret.description}")
    if missing:
        typer.echo("hint: run `paisctl secrets init` to generate what is missing", err=True)
