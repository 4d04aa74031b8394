"""`paisctl restore`: bring a backup's data back."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.cli.backup import definition_of, open_backup, verify
from paisctl.cli.context import desired_of
from paisctl.errors import HostError, UsageError

if TYPE_CHECKING:
    from paisctl.backup.opening import Ground
    from paisctl.backup.stored import StoredBackup
    from paisctl.cluster.backup_driver import Replacement
    from paisctl.cluster.driver import Obstacle

Name = Annotated[str, typer.Argument(help="A backup of the inventory.", metavar="NAME")]
From = Annotated[
    str,
    typer.Option(
        "--from",
        help="Which one: 20261122T213000Z, as `backup list` names it, or `latest` for the newest "
        "complete one.",
        metavar="WHEN",
        show_default=False,
    ),
]
Collections = Annotated[
    list[str] | None,
    typer.Option(
        "--collection",
        help="Only this collection, or this dump; may be repeated. Default: all.",
        metavar="NAME",
        show_default=False,
    ),
]
Confirm = Annotated[
    list[str] | None,
    typer.Option(
        "--confirm",
        help="Do not ask for this name; for scripts. Once for each that is replaced.",
        metavar="NAME",
        show_default=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be replaced.")]


def restore(
    context: typer.Context,
    name: Name,
    *,
    when: From,
    collection: Collections = None,
    confirm: Confirm = None,
    dry_run: DryRun = False,
) -> None:
    """Bring data back from a backup: collection by collection, device by device.

    Reads the backup again first, and refuses what is damaged, of an unfit version, or meant for a
    cluster that is not whole. Shows what is replaced, and asks for its name. What is there now is backed
    up before it is replaced.

    \b
    Examples:
      paisctl restore knowledge --from latest --dry-run
      paisctl restore knowledge --from 20261122T213000Z --collection documents
    """
    from paisctl.backup.manifest import find
    from paisctl.backup.stored import StoredBackup
    from paisctl.views import backup as view

    desired = desired_of(context)
    definition = definition_of(desired, name)
    if definition is None:
        return
    only = tuple(dict.fromkeys(collection or ()))
    with open_backup(desired, definition) as ground:
        stored = StoredBackup(ground.store, find(ground.backups, when))
        _refuse(name, _obstacles(ground, stored, only))
        replacements = ground.driver.replacements(stored, only)
        typer.echo(view.intention(stored.backup, replacements), nl=False)
        if dry_run:
            typer.echo("dry run: nothing was changed")
            return
        _refuse_damaged(ground, _part(stored, replacements))
        _ask(replacements, confirm or ())
        _carry_out(ground, stored, replacements)


def _refuse_damaged(ground: Ground, stored: StoredBackup) -> None:
    from paisctl.views import backup as view

    if wrong := verify(ground, stored):
        typer.echo(view.verification(stored.backup, wrong), nl=False)
        raise typer.Exit(1)


def _part(stored: StoredBackup, replacements: Sequence[Replacement]) -> StoredBackup:
    """As much of a backup as is brought back."""
    from paisctl.backup.stored import StoredBackup

    needed = {piece.path for each in replacements for piece in each.pieces}
    pieces = tuple(piece for piece in stored.pieces if piece.path in needed)
    return StoredBackup(stored.store, dataclasses.replace(stored.backup, pieces=pieces))


def _obstacles(ground: Ground, stored: StoredBackup, only: Sequence[str]) -> list[Obstacle]:
    """All reasons not to restore."""
    from paisctl.cluster.driver import Obstacle

    found = [
        Obstacle(why, f"is it on? ssh {device}", device) for device, why in ground.away.items()
    ]
    found += [
        Obstacle(f"the rollout {rollout} is not over", f"paisctl rollout {rollout} status", device)
        for rollout, device in ground.open_rollouts.items()
    ]
    return found or ground.driver.obstacles(stored, only)


def _refuse(name: str, obstacles: Sequence[Obstacle]) -> None:
    from paisctl.views import backup as view

    if obstacles:
        typer.echo(view.refusal(name, obstacles), nl=False)
        raise typer.Exit(1)


def _ask(replacements: Sequence[Replacement], confirmed: Sequence[str]) -> None:
    """Have every name typed, unless it was given.

    Raises:
        UsageError: there is nobody to ask.
    """
    sys.stdout.flush()
    for name in (each.name for each in replacements if each.name not in confirmed):
        if not sys.stdin.isatty():
            raise UsageError(
                "there is no terminal to ask on", f"add --confirm {name} to go ahead without"
            )
        if typer.prompt(f"\nType {name} to go ahead", err=True) != name:
            typer.echo("nothing was changed", err=True)
            raise typer.Exit(1)


def _carry_out(ground: Ground, stored: StoredBackup, replacements: Sequence[Replacement]) -> None:
    from paisctl.events import Noted
    from paisctl.views import backup as view
    from paisctl.views.backup_progress import watch_backup

    done: dict[str, str] = {}
    kept = ""
    replaced = tuple(each.name for each in replacements if each.now)
    try:
        with watch_backup() as watcher:
            if replaced:
                watcher(Noted(f"first a backup of what is there now: {', '.join(replaced)}"))
                before = ground.making(watcher).run(replaced)
                kept = before.stamp
                if before.missing:
                    lacking = "; ".join(f"{d}: {why}" for d, why in before.missing.items())
                    raise HostError(
                        f"what is there now could not be backed up whole: {lacking}",
                        "nothing was replaced; delete it yourself if you do not need it",
                    )
            for each in replacements:
                done[each.name] = ground.driver.restore(
                    stored, each, lambda text: watcher(Noted(text))
                )
    finally:
        typer.echo(view.restored(ground.definition.name, done, kept), nl=False)
