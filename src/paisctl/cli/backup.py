"""`paisctl backup`: copy the data of stacks away, and look after the copies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.cli.context import DEFAULT, desired_of, settings
from paisctl.errors import HostError, UsageError

if TYPE_CHECKING:
    from paisctl.backup.definition import Definition
    from paisctl.backup.opening import Ground
    from paisctl.backup.stored import StoredBackup, Verification
    from paisctl.pipeline import Desired

First = Annotated[
    str | None,
    typer.Argument(
        help="A backup of the inventory; or `list`, `verify`, `schedule`. Default: what there is.",
        metavar="NAME|ACTION",
        show_default=False,
    ),
]
Second = Annotated[
    str | None,
    typer.Argument(help="The action's backup.", metavar="NAME", show_default=False),
]
From = Annotated[
    str,
    typer.Option(
        "--from",
        help="With `verify`: which one, such as 20261122T213000Z; `latest` is the newest complete one.",
        metavar="WHEN",
    ),
]
NoOffsite = Annotated[
    bool, typer.Option("--no-offsite", help="Leave the off-site repository alone.")
]
_PROJECT = "pais"
Project = Annotated[
    str | None,
    typer.Option(
        "--project",
        help="With `schedule`: where the inventory's project lies on that device, below the home of "
        f"the login that runs it. Default: {_PROJECT}.",
        metavar="DIR",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        help="With `schedule`: write the files into this folder.",
        metavar="DIR",
        file_okay=False,
        show_default=False,
    ),
]


def backup(
    context: typer.Context,
    first: First = None,
    second: Second = None,
    *,
    when: From = "latest",
    no_offsite: NoOffsite = False,
    project: Project = None,
    output: Output = None,
) -> None:
    """Copy the data of a stack from its devices to the store, verified, and from there off-site.

    With a NAME it makes a backup. A device that is down is said, the others are backed up, and the
    backup counts as incomplete. What is too old goes once the new one is there. Exits with 1 when
    anything is missing or did not succeed.

    \b
    Actions:
      list [NAME]      the backups that there are
      verify NAME      read one again, all of it, and open what is in it
      schedule NAME    what makes a device run it every day, and how to put it there

    \b
    Examples:
      paisctl backup knowledge
      paisctl backup list knowledge
      paisctl backup verify knowledge --from 20261122T213000Z
    """
    action, name = _words(first, second)
    _refuse_misfits(action, name, when, project or output)
    if action == "list":
        _list(desired_of(context), name)
    elif name is None:
        _declared(desired_of(context))
    elif action == "verify":
        _verify(desired_of(context), name, when, offsite=not no_offsite)
    elif action == "schedule":
        _schedule(context, desired_of(context), name, project or _PROJECT, output)
    else:
        _run(desired_of(context), name, offsite=not no_offsite)


def _refuse_misfits(
    action: str, name: str | None, when: str, of_schedule: Path | str | None
) -> None:
    """Refuse options that mean nothing for an action.

    Raises:
        UsageError: there is one, or the name of the backup is missing.
    """
    if of_schedule is not None and action != "schedule":
        raise UsageError("--project and --output belong to `schedule`")
    if isinstance(of_schedule, str) and of_schedule.startswith(("/", "~")):
        hint = "for ~/pais, write --project pais"
        raise UsageError(f"--project {of_schedule}: it has to be below the login's home", hint)
    if when != "latest" and action != "verify":
        hint = f"to bring one back: paisctl restore {name or 'NAME'} --from {when} --dry-run"
        raise UsageError("--from belongs to `verify`", hint)
    if name is None and action in ("verify", "schedule"):
        raise UsageError(f"which backup? paisctl backup {action} NAME")


def _words(first: str | None, second: str | None) -> tuple[str, str | None]:
    """The action and the backup, in whichever order they stand."""
    from paisctl.inventory.backups import RESERVED

    for action, name in ((first, second), (second, first)):
        if action in RESERVED and name not in RESERVED:
            return action, name
    if second is not None:
        actions = ", ".join(RESERVED)
        raise UsageError(f"`{first} {second}` is no backup and action", f"actions: {actions}")
    return "run", first


def _declared(desired: Desired) -> None:
    from paisctl.backup.definition import define
    from paisctl.views import backup as view

    backups = desired.fleet.inventory.backups
    definitions = [define(desired.fleet, desired.graph, name) for name in backups]
    typer.echo(view.declared(definitions), nl=False)


@contextmanager
def open_backup(
    desired: Desired,
    definition: Definition,
    *,
    asks_members: bool = True,
    offsite: bool = False,
) -> Iterator[Ground]:
    """The hosts of a backup, read; `offsite` is whether restic will be needed, and its secrets."""
    from paisctl import pipeline
    from paisctl.backup.offsite import secrets_of
    from paisctl.backup.opening import open_ground
    from paisctl.views.progress import watch_probes

    vault = pipeline.open_vault(desired, definition.devices if asks_members else ())
    if offsite:
        vault.require(secrets_of(definition.settings.offsite))
    with ExitStack() as open_hosts:
        with watch_probes() as listener:
            ground = open_hosts.enter_context(
                open_ground(
                    desired.fleet,
                    desired.hosts,
                    vault,
                    definition,
                    listener,
                    asks_members=asks_members,
                )
            )
        yield ground


def definition_of(desired: Desired, name: str) -> Definition | None:
    """The backup with a name; None, after saying so, when its stack has nothing to keep."""
    from paisctl.backup.definition import define

    definition = define(desired.fleet, desired.graph, name)
    if definition.bundle.nothing:
        stack = definition.settings.stack
        typer.echo(f"{name}: {stack} has nothing to keep: {definition.bundle.nothing}")
        return None
    return definition


def _run(desired: Desired, name: str, *, offsite: bool) -> None:
    from paisctl.backup.opening import run
    from paisctl.views import backup as view
    from paisctl.views.backup_progress import watch_backup

    definition = definition_of(desired, name)
    if definition is None:
        return
    with open_backup(desired, definition, offsite=offsite) as ground:
        with ground.claim_store(), watch_backup() as watcher:
            outcome = run(ground, watcher, offsite=offsite)
        typer.echo(view.ending(definition, outcome), nl=False)
    raise typer.Exit(int(not outcome.succeeded))


def _list(desired: Desired, name: str | None) -> None:
    from paisctl.views import backup as view

    names = [name] if name else list(desired.fleet.inventory.backups)
    if not names:
        _declared(desired)
    for each in names:
        definition = definition_of(desired, each)
        if definition:
            with open_backup(desired, definition, asks_members=False) as ground:
                typer.echo(view.kept(definition, ground.backups), nl=False)


def _verify(desired: Desired, name: str, when: str, *, offsite: bool) -> None:
    from paisctl.backup.manifest import find
    from paisctl.backup.stored import StoredBackup
    from paisctl.events import Noted
    from paisctl.views import backup as view
    from paisctl.views.backup_progress import watch_backup

    definition = definition_of(desired, name)
    if definition is None:
        return
    with open_backup(desired, definition, asks_members=False, offsite=offsite) as ground:
        stored = StoredBackup(ground.store, find(ground.backups, when))
        found = verify(ground, stored)
        if found.wrong and stored.backup not in ground.backups:
            raise HostError(
                f"{name} {stored.backup.stamp} was removed meanwhile: it was too old",
                f"paisctl backup verify {name}",
            )
        typer.echo(view.verification(stored.backup, found, ground.store.device), nl=False)
        if offsite and (restic := ground.restic):
            with watch_backup() as watcher:
                restic.check(lambda text: watcher(Noted(text)))
    raise typer.Exit(int(bool(found.wrong)))


def verify(ground: Ground, stored: StoredBackup) -> Verification:
    """Read a backup again."""
    from paisctl.backup.events import Verified
    from paisctl.views.backup_progress import watch_backup

    driver = ground.definition.driver([])
    with watch_backup() as watcher:
        return stored.verify(driver, lambda piece, problem: watcher(Verified(piece.path, problem)))


def _schedule(
    context: typer.Context, desired: Desired, name: str, project: str, output: Path | None
) -> None:
    from paisctl.backup.schedule import schedule
    from paisctl.views import backup as view

    definition = definition_of(desired, name)
    if definition is None:
        return
    when = definition.settings.schedule
    if when is None:
        raise UsageError(
            f"the inventory does not say when {name} runs",
            f'write `schedule: {{at: "03:30", device: DEVICE}}` under `backups: {name}:`',
        )
    home = desired.fleet.directory.resolve().parent  # the project's: inventory/ is a folder of it
    files = [Path(os.path.relpath(path, home)) for path in settings(context).inventory]
    if outside := [path for path in files if path.parts[0] == ".."]:
        raise UsageError(
            f"{outside[0]} is not in the project, of which {when.device} has a copy",
            f"move it below {home}",
        )
    system = desired.fleet.devices[when.device].kind.os
    made = schedule(name, when.at, system, project, [] if files == [DEFAULT] else files)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        for file, text in made.files.items():
            (output / file).write_text(text, "utf-8")
            typer.echo(f"{output / file} is written", err=True)
    typer.echo(
        view.scheduled(name, f"{when.device}:~/{project}", made, written=output is not None),
        nl=False,
    )
