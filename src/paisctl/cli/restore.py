"""`paisctl restore`: bring a backup's data back."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.cli.backup import definition_of, open_backup, verify
from paisctl.cli.context import desired_of
from paisctl.errors import UsageError

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
AcceptLoss = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-loss",
        help="Replace this collection, or dump, also if what is there now cannot be backed up first, "
        "as when it is broken. May be repeated.",
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
    accept_loss: AcceptLoss = None,
    dry_run: DryRun = False,
) -> None:
    """Bring data back from a backup: collection by collection, device by device.

    Reads the backup again first, and refuses what is damaged, of an unfit version, or meant for a
    cluster that is not whole. Shows what is replaced, and asks for its name. What is there now is backed
    up before it is replaced; what is broken, and cannot be, needs --accept-loss.

    \b
    Examples:
      paisctl restore knowledge --from latest --dry-run
      paisctl restore knowledge --from 20261122T213000Z --collection documents
    """
    from paisctl.backup.manifest import find
    from paisctl.backup.stored import StoredBackup
    from paisctl.views import backup as view

    desired = desired_of(context)
    if (definition := definition_of(desired, name)) is None:
        return
    only = tuple(dict.fromkeys(collection or ()))
    with open_backup(desired, definition) as ground, _alone(ground, needed=not dry_run):
        stored = StoredBackup(ground.store, find(ground.backups, when))
        _refuse(name, _obstacles(ground, stored, only))
        replacements = ground.driver.replacements(stored, only)
        typer.echo(view.intention(stored.backup, replacements), nl=False)
        if dry_run:
            typer.echo("dry run: nothing was changed")
            return
        _agree(ground, stored, replacements, confirm or ())
        _carry_out(ground, stored, replacements, accept_loss or ())


@contextmanager
def _alone(ground: Ground, *, needed: bool) -> Iterator[None]:
    """See that nobody else works on this backup, or on the data, from the first look on."""
    with ExitStack() as held:
        for claims in (ground.claim_store(), *ground.claim_data()) if needed else ():
            held.enter_context(claims)
        yield


def _agree(
    ground: Ground,
    stored: StoredBackup,
    replacements: Sequence[Replacement],
    confirmed: Sequence[str],
) -> None:
    """See that what is brought back is as it was written, and that a person agrees."""
    names = _to_ask(replacements, confirmed)  # before it reads for long
    _refuse_damaged(ground, _part(stored, replacements))
    _ask(names)


def _refuse_damaged(ground: Ground, stored: StoredBackup) -> None:
    from paisctl.views import backup as view

    found = verify(ground, stored)
    if found.wrong:
        typer.echo(view.verification(stored.backup, found, ground.store.device), nl=False)
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


def _to_ask(replacements: Sequence[Replacement], confirmed: Sequence[str]) -> list[str]:
    """The names that have to be typed: those that were not given.

    Raises:
        UsageError: there is nobody to ask.
    """
    names = [each.name for each in replacements if each.name not in confirmed]
    if names and not sys.stdin.isatty():
        options = " ".join(f"--confirm {shlex.quote(name)}" for name in names)
        raise UsageError("there is no terminal to ask on", f"add {options} to go ahead without")
    return names


def _ask(names: Sequence[str]) -> None:
    """Have every name typed."""
    sys.stdout.flush()
    for name in names:
        if typer.prompt(f"\nType {name} to go ahead", err=True) != name:
            typer.echo("nothing was changed", err=True)
            raise typer.Exit(1)


def _carry_out(
    ground: Ground,
    stored: StoredBackup,
    replacements: Sequence[Replacement],
    expendable: Sequence[str],
) -> None:
    from paisctl.backup.bring_back import BringingBack
    from paisctl.views import backup as view
    from paisctl.views.backup_progress import watch_backup

    with watch_backup() as watcher:
        restoring = BringingBack(ground.driver, stored, ground.making(watcher), watcher)
        try:
            restoring.run(replacements, expendable)
        finally:
            ended = view.restored(ground.definition.name, restoring.done, restoring.kept)
            typer.echo(ended, nl=False)
