"""`paisctl devices`: the tailnet's machines compared with the inventory; tags, and keys to join."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.cli.carry_out import Yes, confirm
from paisctl.cli.context import desired_of, seconds_of

if TYPE_CHECKING:
    from paisctl.pipeline import Desired

app = typer.Typer(help="The tailnet's machines: compare, tag, let a new one join.")


@app.callback(invoke_without_command=True)
def devices(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the tailnet's machines with the inventory. Changes nothing.

    Exits with 0 when the access policy is about every device as it should be, else with 1.

    \b
    Examples:
      paisctl devices
      paisctl devices tag k6
      paisctl devices key new-pi
    """
    from paisctl.tailnet.connect import connect
    from paisctl.tailnet.tagging import compare_with_tailnet
    from paisctl.views import devices as view

    if context.invoked_subcommand is not None:
        return
    desired = desired_of(context)
    with connect(desired.fleet) as control:
        found = compare_with_tailnet(control, desired.fleet, desired.tailnet)
    number = len(desired.fleet.devices)
    typer.echo(view.as_json(found) if as_json else view.as_text(found, number), nl=False)
    raise typer.Exit(int(not all(finding.is_harmless for finding in found)))


@app.command("tag")
def tag(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Devices, by name or pattern. Default: all whose tags are wrong.",
            show_default=False,
            metavar="DEVICE",
        ),
    ] = None,
    *,
    yes: Yes = False,
) -> None:
    """Give machines the tags that the access policy knows them by. Shows what that means, and asks.

    A tagged machine belongs to nobody any more: rules about its owner are then not about it, and
    under the policy in force that holds at once.

    \b
    Example:
      paisctl devices tag k6 'm7-*'
    """
    from paisctl.tailnet.applying import require_ours
    from paisctl.tailnet.connect import connect
    from paisctl.tailnet.tagging import Tagging
    from paisctl.views import devices as view

    desired = desired_of(context)
    require_ours(desired.fleet)
    chosen = _named(desired, names or ["*"])
    with connect(desired.fleet) as control:
        tagging = Tagging(control, desired.fleet, desired.tailnet)
        wrong = tagging.wrong(chosen)
        if not wrong:
            typer.echo("every machine that is there has its tags")
            return
        typer.echo(view.to_tag(wrong, tagging.losses(wrong)), nl=False)
        confirm("Tag them as they should be?", yes=yes)
        for done in tagging.tag(wrong):
            typer.echo(done)


@app.command("key")
def key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A device of the inventory.", metavar="DEVICE")],
    expiry: Annotated[
        str, typer.Option("--expiry", help="How long it can be used.", metavar="DURATION")
    ] = "1h",
) -> None:
    """Make a key that lets one new machine join the tailnet, authorized and tagged.

    The key goes to stdout, and is shown only now. Give it to the machine in a file: what stands on a
    command line everybody on the machine can read.

    \b
    Example:
      paisctl devices key new-pi > key
    """
    from paisctl.errors import UsageError
    from paisctl.tailnet.applying import require_ours
    from paisctl.tailnet.connect import connect
    from paisctl.tailnet.tagging import expected_devices, require_tags

    seconds = int(seconds_of("--expiry", expiry))
    if not seconds:
        raise UsageError("--expiry: a key holds for a second at least", "write for example 1h")
    desired = desired_of(context)
    require_ours(desired.fleet)
    _named(desired, [name])
    known = {each.name: each for each in expected_devices(desired.fleet, desired.tailnet)}
    if not known[name].tags:
        raise UsageError(f"{name} belongs to a person", "they sign in on it themselves")
    tags = sorted(known[name].tags)
    with connect(desired.fleet) as control:
        require_tags(control, desired.fleet, desired.tailnet, tags)
        made = control.make_key(tags, f"paisctl {name}", seconds)
    typer.echo(made.value.reveal())
    until = f" until {made.expires:%Y-%m-%d %H:%M} UTC" if made.expires else ""
    settings = desired.fleet.inventory.tailnet
    server = f" --login-server={settings.url}" if settings.control == "headscale" else ""
    up = f"sudo tailscale up --auth-key=file:KEY --hostname={name}{server}"
    typer.echo(f"for one machine{until}: {up}", err=True)


def _named(desired: Desired, patterns: list[str]) -> list[str]:
    """The devices that some names and patterns are about, whether they are deployed to or not."""
    from fnmatch import fnmatchcase

    from paisctl.diagnostics import did_you_mean
    from paisctl.errors import UsageError

    chosen = []
    for pattern in patterns:
        matches = [name for name in desired.fleet.devices if fnmatchcase(name, pattern)]
        if not matches:
            hint = did_you_mean(pattern, desired.fleet.devices, "devices")
            raise UsageError(f"there is no device `{pattern}`", hint)
        chosen += matches
    return chosen
