"""Rollouts as a person reads them: what will be done, how far one is, how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from paisctl.cluster.driver import Obstacle, Task
from paisctl.inventory.rollouts import Rollout
from paisctl.rollout.definition import Definition
from paisctl.rollout.engine import Trouble
from paisctl.rollout.record import Phase, Progress, Record
from paisctl.rollout.scene import Scene
from paisctl.views.console import plural, render
from paisctl.views.json import FORMAT, dump
from paisctl.views.table import table

_PROGRESS = {
    Progress.RUNNING: "is under way",
    Progress.STOPPED: "stopped",
    Progress.DONE: "done",
    Progress.ABORTED: "aborted",
}


def as_list(rollouts: Mapping[str, Rollout], devices: Mapping[str, Sequence[str]]) -> str:
    """The rollouts that an inventory declares."""
    if not rollouts:
        return "the inventory declares no rollouts\n"
    rows = [(name, each.stack, ", ".join(devices[name])) for name, each in rollouts.items()]
    return render(table(("ROLLOUT", "STACK", "MEMBERS"), rows))


def intention(scene: Scene, task: Task, order: Sequence[str]) -> str:
    """What a rollout is going to do."""
    return render(_intention(scene, task, order))


def _intention(scene: Scene, task: Task, order: Sequence[str]) -> Iterator[Text]:
    definition = scene.definition
    yield Text.assemble((f"{definition.name}  ", "bold"), what(definition, task, scene.running))
    first = ["the image on every member"] if not task.is_restart else []
    if task.takes_snapshots and definition.bundle.driver:
        first.append("snapshots of all data on every member")
    if task.replicate_first:
        first.append("a second copy of what has only one")
    if first:
        yield Text(f"  first   {'; '.join(first)}")
    is_asked = definition.bundle.driver and definition.settings.order == "driver"
    more = "; asked again before each" if is_asked else ""
    yield Text(f"  order   {', '.join(order)}{more}")
    drains = (
        f"drain in {_listed(str(each) for each in scene.balancers)}; " if scene.balancers else ""
    )
    change = "restart" if task.is_restart else "change"
    yield Text(f"  each    {drains}{change}; use again; rest {definition.settings.settle}")
    yield Text(f"  gates   {', '.join(definition.limits)}")
    if task.accept_downtime:
        yield Text(f"  away    {', '.join(sorted(task.accept_downtime))}, for a while", "yellow")


def what(definition: Definition, task: Task, running: Mapping[str, str]) -> str:
    """`qdrant v1.18.3 → v1.19.0`, or what else is done."""
    versions = sorted(set(running.values()) - {task.target})
    if task.is_restart:
        return f"{definition.stack}: a restart of {task.target}"
    if not versions:
        return f"{definition.stack} {task.target}: settings"
    return f"{definition.stack} {', '.join(versions)} → {task.target}"


def refusal(name: str, obstacles: Sequence[Obstacle], *, goes_on: bool) -> str:
    """Why a rollout does not begin, or does not go on: all of it."""
    return render(_refusal(name, obstacles, goes_on=goes_on))


def _refusal(name: str, obstacles: Sequence[Obstacle], *, goes_on: bool) -> Iterator[Text]:
    yield from _obstacles(obstacles)
    if goes_on:
        yield Text(f"{name} is where it was: {plural(len(obstacles), 'reason')}.", "bold")
        return
    yield Text(
        f"{name} is not rolled: {plural(len(obstacles), 'reason')}. Nothing was changed.", "bold"
    )


def _obstacles(obstacles: Sequence[Obstacle]) -> Iterator[Text]:
    for obstacle in obstacles:
        device = f"{obstacle.device}  " if obstacle.device else ""
        yield Text.assemble(("? ", "red"), (device, "bold"), obstacle.what)
        if obstacle.hint:
            yield Text(f"    {obstacle.hint}")


def status(record: Record | None, name: str, holder: str) -> str:
    """How far a rollout is."""
    return render(_status(record, name, holder))


def _status(record: Record | None, name: str, holder: str) -> Iterator[Text]:
    if record is None:
        yield Text(f"{name} was never rolled")
        return
    verb = "restart" if record.task.is_restart else f"to {record.task.target}"
    said = _PROGRESS[record.progress]
    if record.progress is Progress.RUNNING and not holder:
        said = "broke off: nobody works on it"
    began = record.started[:16].replace("T", " ")
    yield Text.assemble((f"{name}  ", "bold"), f"{verb}, begun by {record.who} {began} UTC: {said}")
    rows = [
        (device, str(phase), record.before.get(device, "-"))
        for device, phase in record.members.items()
    ]
    yield from table(("MEMBER", "PHASE", "BEFORE"), rows)
    if record.problem:
        yield Text(record.problem, "red")
    if record.is_open:
        if holder:
            yield Text(f"{holder} works on it")
        else:
            yield Text(f"next: paisctl rollout {name} resume, or paisctl rollout {name} abort")


def status_as_json(
    record: Record | None,
    name: str,
    holder: str,
    behind: Sequence[str],
    away: Mapping[str, str],
) -> str:
    """How far a rollout is, as one JSON document with a line end.

    Args:
        record: None when it was never rolled.
        name: the rollout.
        holder: who works on it.
        behind: hosts that take it to go on, though it has ended.
        away: hosts that could not be asked, and why.
    """
    document = {
        "format": FORMAT,
        "rollout": name,
        "working": holder or None,
        "last": record and _json(record),
        "behind": list(behind),
        "unread": [{"device": device, "problem": why} for device, why in away.items()],
    }
    return dump(document)


def _json(record: Record) -> dict[str, Any]:
    return {
        "number": record.number,
        "stack": record.stack,
        "target": record.task.target,
        "restart": record.task.is_restart,
        "who": record.who,
        "began": record.started,
        "progress": str(record.progress),
        "problem": record.problem or None,
        "members": [
            {"device": device, "phase": str(phase), "before": record.before.get(device)}
            for device, phase in record.members.items()
        ],
    }


def ending(record: Record, trouble: Trouble | None) -> str:
    """How a rollout ended, with what to do where it stopped."""
    return render(_ending(record, trouble))


def _ending(record: Record, trouble: Trouble | None) -> Iterator[Text]:
    done = [device for device, phase in record.members.items() if phase is Phase.DONE]
    if trouble is None and record.progress is Progress.ABORTED:
        left = ", ".join(record.remaining)
        yield Text("Aborted: what was changed for the time of it is put back.", "bold")
        if done and left:
            yield Text(f"{', '.join(done)} {_have(done)} {record.task.target}; not changed: {left}")
        return
    if trouble is None:
        verb = "restarted" if record.task.is_restart else f"at {record.task.target}"
        yield Text(f"Done: {plural(len(done), 'member')} {verb}, one after the other.", "bold")
        return
    where = f"{trouble.device}  " if trouble.device else ""
    yield Text.assemble(("✗ ", "red"), (where, "bold"), trouble.message)
    for line in trouble.log:
        yield Text(f"    | {line}", "dim")
    if trouble.diagnosis:
        for fact in trouble.diagnosis.facts:
            yield Text(f"    {fact}")
    yield from _obstacles(trouble.obstacles)
    yield Text("Stopped: the other members were left as they are.", "bold")
    yield from _choices(record, trouble)


def _choices(record: Record, trouble: Trouble) -> Iterator[Text]:
    """The commands to choose from; what cannot be right is not offered."""
    name, diagnosis = record.name, trouble.diagnosis
    for hint in diagnosis.hints if diagnosis else ():
        yield Text(f"  look   {hint}")
    yield Text(f"  next   mend the cause, then: paisctl rollout {name} resume")
    if diagnosis and diagnosis.may_go_back:
        before = record.before.get(trouble.device, "the version before")
        yield Text(f"  or     its data was not touched; back to {before}:")
        yield Text(f"         paisctl rollout {name} abort --put-back {trouble.device}")
    if diagnosis and diagnosis.can_be_rebuilt:
        yield Text("  or     empty it, and fill it from the others:")
        yield Text(f"         paisctl rollout {name} resume --rebuild-node {trouble.device}")
    if not (diagnosis and diagnosis.may_go_back):
        yield Text(f"  or     give it up as it is: paisctl rollout {name} abort")


def _have(devices: Sequence[str]) -> str:
    return "has" if len(devices) == 1 else "have"


def _listed(names: Iterator[str]) -> str:
    return " and ".join(names)
