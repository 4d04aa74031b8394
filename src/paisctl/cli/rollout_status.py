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


def show_status(context: typer.Context, name: str, *, as_json: bool) -> None:
    from paisctl.cluster.claims import holder
    from paisctl.rollout.memory import behind
    from paisctl.views import rollout as view

    with opened(desired_of(context), name) as (scene, _):
        record, who, away = scene.record, holder(scene.places, name), scene.opened.away
        late = [place.device for place in behind(scene.places, record)]
        if as_json:
            typer.echo(view.status_as_json(record, name, who, late, away), nl=False)
            return
        typer.echo(view.status(record, name, who), nl=False)
        for device in late:
            typer.echo(f"{device} was away then, and takes it to go on")
            typer.echo(f"next: paisctl rollout {name} abort   # tells it, and changes nothing")
        for device, problem in away.items():
            typer.echo(f"? {device}  {problem}", err=True)


def told_that_it_ended(scene: Scene) -> bool:
    """Tell hosts that were away when the rollout ended; whether there were any."""
    from paisctl.rollout.memory import behind, remember

    record = scene.record
    places = behind(scene.places, record)
    if record is None or not places:
        return False
    with claimed(scene):
        refuse_moved(scene)
        remember(places, record)
    for place in places:
        typer.echo(f"{place.device} knows now that the rollout {record.name} has ended")
    return True
