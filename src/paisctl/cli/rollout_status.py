"""How far rollouts are, and that all their hosts know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from paisctl.cli.context import desired_of
from paisctl.cli.rollout_refusals import refuse_moved
from paisctl.cli.rollout_steps import claimed, opened

if TYPE_CHECKING:
    from paisctl.rollout.scene import Scene


def show_all(context: typer.Context) -> None:
    from paisctl.inventory.rollouts import groups_of
    from paisctl.views import rollout as view

    fleet = desired_of(context).fleet
    devices = {
        group.name: [device for device in fleet.devices if device in group.devices]
        for group in groups_of(fleet)
    }
    typer.echo(view.as_list(fleet.inventory.rollouts, devices), nl=False)


def show_status(context: typer.Context, name: str) -> None:
    from paisctl.cluster.claims import holder
    from paisctl.rollout.memory import behind
    from paisctl.views import rollout as view

    with opened(desired_of(context), name) as (scene, _):
        typer.echo(view.status(scene.record, name, holder(scene.places, name)), nl=False)
        if scene.record and not scene.record.is_open:
            for place in behind(scene.places, scene.record):
                typer.echo(f"{place.device} was away then, and takes it to go on")
                typer.echo(f"next: paisctl rollout {name} abort   # tells it, and changes nothing")
        for device, problem in scene.opened.away.items():
            typer.echo(f"? {device}  {problem}", err=True)


def told_that_it_ended(scene: Scene) -> bool:
    """Tell hosts that were away when the rollout ended; whether there were any."""
    from paisctl.rollout.memory import behind, remember

    record = scene.record
    if record is None or record.is_open or not (places := behind(scene.places, record)):
        return False
    with claimed(scene):
        refuse_moved(scene)
        remember(places, record)
    for place in places:
        typer.echo(f"{place.device} knows now that the rollout {record.name} has ended")
    return True
