"""The steps of `paisctl rollout`: begin, go on, abort, say how far it is."""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from paisctl.cli.carry_out import confirm
from paisctl.cli.context import desired_of
from paisctl.cli.rollout_refusals import (
    open_record,
    rebuilt,
    refuse,
    refuse_half_filled,
    refuse_moved,
    refuse_open,
    refuse_other_version,
    refuse_unreached,
)
from paisctl.errors import UsageError

if TYPE_CHECKING:
    from paisctl.cluster.claims import Claims
    from paisctl.cluster.driver import Obstacle, Task
    from paisctl.pipeline import Desired
    from paisctl.rollout.definition import Definition
    from paisctl.rollout.engine import Engine
    from paisctl.rollout.record import Record
    from paisctl.rollout.scene import Scene
    from paisctl.secrets import Vault


class Step(StrEnum):
    """What to do with the rollout."""

    START = "start"
    RESTART = "restart"
    STATUS = "status"
    RESUME = "resume"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the options ask for, by step."""

    to: str | None
    dry_run: bool
    no_snapshot: bool
    replicate_first: bool
    accept_downtime: tuple[str, ...]
    rebuild: str | None
    put_back: str | None
    as_json: bool
    yes: bool

    def check(self, step: Step) -> None:
        """Refuse options that mean nothing for a step.

        Raises:
            UsageError: there is one.
        """
        begins = step in (Step.START, Step.RESTART)
        given = {
            "--to": (self.to, step is Step.START),
            "--dry-run": (self.dry_run, begins),
            "--no-snapshot": (self.no_snapshot, begins),
            "--replicate-first": (self.replicate_first, begins),
            "--accept-downtime": (self.accept_downtime, begins),
            "--rebuild-node": (self.rebuild, step is Step.RESUME),
            "--put-back": (self.put_back, step is Step.ABORT),
            "--json": (self.as_json, step is Step.STATUS),
        }
        for option, (value, is_possible) in given.items():
            if value and not is_possible:
                raise UsageError(f"{option} does not go with `{step}`")


@contextmanager
def opened(desired: Desired, name: str) -> Iterator[tuple[Scene, Vault]]:
    """The scene of a rollout, its hosts read."""
    from paisctl import pipeline
    from paisctl.rollout.definition import define
    from paisctl.rollout.scene import open_scene
    from paisctl.views.progress import watch_probes

    definition = define(desired.fleet, desired.graph, name)
    vault = pipeline.open_vault(desired, definition.devices, [definition.stack])
    with ExitStack() as open_hosts:
        with watch_probes() as listener:
            scene = open_hosts.enter_context(
                open_scene(desired.fleet, desired.hosts, vault, definition, listener)
            )
        yield scene, vault


def start(context: typer.Context, name: str, wishes: Wishes, *, is_restart: bool) -> None:
    from paisctl.cli.rollout_to import with_tag
    from paisctl.views import human
    from paisctl.views import rollout as view

    desired, edit = with_tag(context, name, wishes.to)
    with opened(desired, name) as (scene, vault):
        definition = scene.definition
        refuse_open(scene)
        task = _task(definition, wishes, is_restart=is_restart)
        changing = definition.devices if is_restart else scene.changing
        if not changing and scene.plan.is_whole:
            if not wishes.dry_run:
                edit.write()
            typer.echo(f"{name}: every member is as the inventory says")
            return
        if not is_restart:
            typer.echo(human.plan(scene.plan), nl=False)
        refuse(name, scene.obstacles(task))
        order = _order(scene, changing)
        typer.echo(view.intention(scene, task, order), nl=False)
        if wishes.dry_run:
            typer.echo("dry run: nothing was changed")
            return
        confirm(f"Roll {name}?", yes=wishes.yes)
        with claimed(scene) as claims:
            refuse_moved(scene)
            refuse(name, _images(scene, task))
            edit.write()
            record = _first_record(scene, task, changing)
            _carry_on(_engine(desired, scene, vault, claims, record))


def resume(context: typer.Context, name: str, wishes: Wishes) -> None:
    desired = desired_of(context)
    with opened(desired, name) as (scene, vault):
        record = open_record(scene)
        refuse_other_version(scene.definition, record)
        rebuild = wishes.rebuild or ""
        if rebuild:
            record = rebuilt(record, rebuild)
        with claimed(scene) as claims:
            refuse_moved(scene)
            refuse(name, scene.obstacles(record.still_to_do, record.begun), goes_on=True)
            refuse(name, _images(scene, record.task), goes_on=True)
            _carry_on(_engine(desired, scene, vault, claims, record), rebuild)


def abort(context: typer.Context, name: str, wishes: Wishes) -> None:
    from paisctl.cli.rollout_back import put_back
    from paisctl.cli.rollout_status import told_that_it_ended
    from paisctl.views import rollout as view
    from paisctl.views.rollout_progress import watch_rollout

    desired = desired_of(context)
    with opened(desired, name) as (scene, vault):
        if told_that_it_ended(scene):
            return
        record = open_record(scene)
        with claimed(scene) as claims:
            refuse_moved(scene)
            refuse_unreached(scene)
            refuse_half_filled(record)
            engine = _engine(desired, scene, vault, claims, record)
            if wishes.put_back:
                put_back(desired, scene, record, wishes.put_back, yes=wishes.yes)
            with watch_rollout(list(record.members), list(scene.definition.limits)) as watcher:
                engine.watcher = watcher
                trouble = engine.abort()
        typer.echo(view.ending(engine.record, trouble), nl=False)
        raise typer.Exit(int(trouble is not None))


def _carry_on(engine: Engine, rebuild: str = "") -> None:
    """Go on to the end, say how it ended, and end the command."""
    from paisctl.views import rollout as view
    from paisctl.views.rollout_progress import watch_rollout

    name = engine.record.name
    try:
        with watch_rollout(list(engine.record.members), list(engine.definition.limits)) as watcher:
            engine.watcher = watcher
            trouble = engine.run(rebuild)
    except KeyboardInterrupt:
        typer.echo(f"\nstopped; go on with: paisctl rollout {name} resume", err=True)
        raise
    typer.echo(view.ending(engine.record, trouble), nl=False)
    raise typer.Exit(int(trouble is not None))


def _engine(desired: Desired, scene: Scene, vault: Vault, claims: Claims, record: Record) -> Engine:
    from paisctl.execution.conduct import Conduct
    from paisctl.provenance import git_revision
    from paisctl.rollout.engine import Engine
    from paisctl.rollout.hands import Hands

    conduct = Conduct(
        command=f"rollout {scene.definition.name}",
        revision=git_revision(desired.fleet.directory),
        rollback=False,
        keep=desired.fleet.inventory.apply.keep_generations,
    )
    patience = max(limit.timeout for limit in scene.definition.limits.values())
    hands = Hands(desired.fleet, desired.hosts, vault, scene.definition.stack, conduct, patience)
    return Engine(
        scene.definition,
        scene.driver,
        hands,
        scene.balancers,
        scene.places,
        claims,
        record,
        watcher=lambda _: None,
    )


def _task(definition: Definition, wishes: Wishes, *, is_restart: bool) -> Task:
    from paisctl.cluster.driver import Task

    return Task(
        next(iter(definition.versions.values())),
        is_restart=is_restart,
        replicate_first=wishes.replicate_first,
        accept_downtime=frozenset(wishes.accept_downtime),
        takes_snapshots=not wishes.no_snapshot,
    )


def _first_record(scene: Scene, task: Task, changing: Sequence[str]) -> Record:
    """What is remembered when nothing is done yet; members that stay as they are are done."""
    from paisctl.rollout.record import Phase, Record

    definition = scene.definition
    return Record(
        definition.name,
        scene.record.number + 1 if scene.record else 1,
        definition.stack,
        task,
        dict(scene.running),
        _who(),
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        {d: Phase.WAITING if d in changing else Phase.DONE for d in definition.devices},
    )


def claimed(scene: Scene) -> Claims:
    from paisctl.cluster.claims import Claims, ourselves

    name = scene.definition.name
    doing, hint = f"{name} is being rolled", f"watch it with paisctl rollout {name} status"
    return Claims(scene.places, name, ourselves(), doing, hint)


def _who() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _order(scene: Scene, changing: Sequence[str]) -> list[str]:
    if scene.definition.settings.order == "inventory":
        return list(changing)
    return scene.driver.order(changing)


def _images(scene: Scene, task: Task) -> list[Obstacle]:
    """See to it that every member has the image before the first one is stopped."""
    from paisctl.cluster.asking import ask_all
    from paisctl.cluster.driver import Obstacle
    from paisctl.rollout.images import have_image

    if task.is_restart:
        return []
    hosts = {member.device: member for member in scene.members}
    lacks = ask_all(
        scene.members,
        lambda member: have_image(hosts[member.device], scene.definition.image(member.device)),
    )
    return [Obstacle(why, device=device) for device, why in lacks.items() if why]
