"""Reasons for which a rollout command goes no further, each with the command that helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from paisctl.errors import PaisctlError, UsageError

if TYPE_CHECKING:
    from paisctl.cluster.driver import Obstacle
    from paisctl.rollout.definition import Definition
    from paisctl.rollout.record import Record
    from paisctl.rollout.scene import Scene


def refuse(name: str, obstacles: Sequence[Obstacle], *, goes_on: bool = False) -> None:
    """End the command when there is a reason to."""
    from paisctl.views import rollout as view

    if obstacles:
        typer.echo(view.refusal(name, obstacles, goes_on=goes_on), nl=False)
        raise typer.Exit(1)


def refuse_open(scene: Scene) -> None:
    """Refuse to begin before the last one has ended.

    Raises:
        PaisctlError: it has not.
    """
    from paisctl.cluster.claims import holder

    record = scene.record
    if record and record.is_open:
        who = holder(scene.places, record.name)
        how = (
            f"is being rolled by {who}" if who else "was begun to be rolled, and that has not ended"
        )
        raise PaisctlError(f"{record.name} {how}", f"paisctl rollout {record.name} status")


def refuse_unreached(scene: Scene) -> None:
    """Refuse to call all put back while a load balancer that may have to be told is not there.

    Raises:
        PaisctlError: there is one.
    """
    for balancer in scene.definition.balancers:
        device = balancer.instance.device.name
        if device in scene.opened.away:
            raise PaisctlError(
                f"{balancer.instance.name} on {device} may still leave a member out, and cannot be "
                f"told: {scene.opened.away[device]}",
                f"is it on? ssh {device}",
            )


def refuse_moved(scene: Scene) -> None:
    """Refuse to go on with what somebody else has gone on with, before nobody else could any more.

    Raises:
        PaisctlError: they have.
    """
    from paisctl.rollout.memory import recall

    name = scene.definition.name
    if recall(scene.places, name) != scene.record:
        raise PaisctlError(
            f"somebody else has rolled {name} meanwhile", f"paisctl rollout {name} status"
        )


def refuse_other_version(definition: Definition, record: Record) -> None:
    wanted = set(definition.versions.values())
    if wanted != {record.task.target}:
        raise UsageError(
            f"the rollout is to {record.task.target}, the inventory says {', '.join(sorted(wanted))}",
            f"write {record.task.target} there again, or: paisctl rollout {record.name} abort",
        )


def refuse_half_filled(record: Record) -> None:
    """Refuse to forget which data a member still has to get back, and where its old data is.

    Raises:
        PaisctlError: it is being filled by the others.
    """
    if device := record.rebuilding:
        raise PaisctlError(
            f"{device} is being filled by the others; an abort would forget what it still lacks",
            f"paisctl rollout {record.name} resume",
        )


def rebuilt(record: Record, device: str) -> Record:
    """The record with a member to be rebuilt: the one that the rollout is at, or one that was done.

    Raises:
        UsageError: it is another one, or none of the rollout's.
    """
    from paisctl.rollout.record import Phase

    if device in record.begun:
        return record
    if record.members.get(device) is Phase.DONE:
        return record.with_phase(device, Phase.CHANGING)
    at = record.begun[0] if record.begun else "no member"
    raise UsageError(
        f"the rollout is at {at}, not at {device}", f"paisctl rollout {record.name} status"
    )


def open_record(scene: Scene) -> Record:
    """The record of the rollout that is to be gone on with.

    Raises:
        UsageError: there is none.
    """
    record, name = scene.record, scene.definition.name
    if record is None or not record.is_open:
        raise UsageError(
            f"no rollout of {name} stopped or broke off", f"begin one: paisctl rollout {name}"
        )
    return record
