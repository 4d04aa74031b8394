"""Backups as a person reads them: what there is, how one ended, what a restore replaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from paisctl.backup.definition import Definition
from paisctl.backup.manifest import Backup
from paisctl.backup.opening import Outcome
from paisctl.backup.schedule import Scheduled
from paisctl.backup.stored import Verification
from paisctl.cluster.backup_driver import Replacement
from paisctl.cluster.driver import Obstacle
from paisctl.inventory.types import format_size
from paisctl.views.console import plural, render
from paisctl.views.table import table


def declared(definitions: Sequence[Definition]) -> str:
    """The backups that an inventory declares."""
    if not definitions:
        return "the inventory declares no backups\n"
    rows = [_declared(each) for each in definitions]
    return render(table(("BACKUP", "STACK", "STORE", "SCHEDULE", "DEVICES"), rows))


def _declared(definition: Definition) -> tuple[str, ...]:
    plan = definition.settings
    store = f"{plan.store.device}:{plan.store.path}" + (", off-site" if plan.offsite else "")
    when = f"{plan.schedule.at} on {plan.schedule.device}" if plan.schedule else "-"
    if definition.bundle.nothing:
        return definition.name, plan.stack, "nothing to keep", "-", ", ".join(definition.devices)
    return definition.name, plan.stack, store, when, ", ".join(definition.devices)


def kept(definition: Definition, backups: Sequence[Backup]) -> str:
    """The backups in a store, the newest first."""
    where = f"{definition.settings.store.device}:{definition.path}"
    if not backups:
        return f"{definition.name}: there is no backup in {where}\n"
    rows = [(each.stamp, format_size(each.size), _versions(each), _state(each)) for each in backups]
    styles = ["" if each.is_complete else "yellow" for each in backups]
    heading = Text.assemble((definition.name, "bold"), f"  {where}")
    return render([heading, *table(("BACKUP", "SIZE", "VERSION", "STATE"), rows, styles)])


def _versions(backup: Backup) -> str:
    return ", ".join(sorted(set(backup.versions.values()))) or "-"


def _state(backup: Backup) -> str:
    if backup.only:
        return f"only {', '.join(backup.only)}, before a restore"
    if backup.missing:
        return f"incomplete: {', '.join(backup.missing)} missing"
    return "complete"


def ending(definition: Definition, outcome: Outcome) -> str:
    """How a run ended."""
    return render(_ending(definition, outcome))


def _ending(definition: Definition, outcome: Outcome) -> Iterator[Text]:
    backup = outcome.backup
    if backup:
        for device, why in backup.missing.items():
            yield Text.assemble(("✗ ", "red"), (f"{device}  ", "bold"), f"missing: {why}")
        if backup.missing:
            yield Text(f"    next time it is there: paisctl backup {definition.name}")
    for problem in outcome.problems:
        yield Text.assemble(("✗ ", "red"), problem.message)
        if problem.hint:
            yield Text(f"    {problem.hint}")
    if outcome.removed:
        yield Text(f"removed, as they were too old: {', '.join(outcome.removed)}")
    if backup is None:
        yield Text(f"{definition.name} was not backed up.", "bold")
        return
    state = "Incomplete" if backup.missing else "Done"
    size = f"{plural(len(backup.pieces), 'file')}, {format_size(backup.size)}, verified"
    where = f"{definition.settings.store.device}:{definition.path}/{backup.stamp}"
    yield Text(f"{state}: {size}, in {where}", "bold")


def verification(backup: Backup, found: Verification, store: str) -> str:
    """What reading a backup again has found; `store` is the device that has it."""
    return render(_verification(backup, found, store))


def _verification(backup: Backup, found: Verification, store: str) -> Iterator[Text]:
    for line in found.wrong:
        yield Text.assemble(("✗ ", "red"), line)
    for device, why in backup.missing.items():
        yield Text.assemble(("? ", "yellow"), (f"{device}  ", "bold"), f"missing from it: {why}")
    if found.unopened:
        yield Text.assemble(
            ("? ", "yellow"),
            (f"{store}  ", "bold"),
            f"its tar cannot open sparse archives: {', '.join(found.unopened)}",
        )
        yield Text(
            f"    they are as they were written; to look into them, install GNU tar on {store}"
        )
    name, files = f"{backup.name} {backup.stamp}", plural(len(backup.pieces), "file")
    if found.wrong:
        problems = plural(len(found.wrong), "problem")
        yield Text(f"{name} is not to be relied on: {problems}, {files}.", "bold")
        yield Text(f"next: paisctl backup {backup.name}")
        return
    opened = "not all were opened" if found.unopened else "all can be opened"
    size = format_size(backup.size)
    yield Text(f"{name}: {files}, {size}, as they were written; {opened}.", "bold")


def scheduled(name: str, device: str, made: Scheduled, *, written: bool) -> str:
    """The files that make a device run a backup, and how to put them there."""
    return render(_scheduled(name, device, made, written=written))


def _scheduled(name: str, device: str, made: Scheduled, *, written: bool) -> Iterator[Text]:
    if not written:
        for file, text in made.files.items():
            yield Text(f"# {file}", "bold")
            for line in text.splitlines():
                yield Text(line)
            yield Text("")
    yield Text(
        f"On {device}, where the inventory's project has to be, with its secrets file, and paisctl:"
    )
    for step in made.steps:
        yield Text(f"  {step}")
    if not written:
        yield Text(f"As files: paisctl backup schedule {name} --output DIR")


def intention(backup: Backup, replacements: Sequence[Replacement]) -> str:
    """What a restore is going to do."""
    return render(_intention(backup, replacements))


def _intention(backup: Backup, replacements: Sequence[Replacement]) -> Iterator[Text]:
    began = f"{backup.began:%Y-%m-%d %H:%M} UTC"
    yield Text.assemble((f"{backup.name}  ", "bold"), f"from {backup.stamp}, {began}")
    for each in replacements:
        yield Text.assemble(
            ("± " if each.now else "+ ", "yellow" if each.now else "green"), (each.name, "bold")
        )
        yield Text(f"    now   {each.now or 'not there'}")
        yield Text(f"    then  {each.then}")
        for note in each.notes:
            yield Text(f"          {note}")
    if any(each.now for each in replacements):
        yield Text("What is there now is backed up first.")


def refusal(name: str, obstacles: Sequence[Obstacle]) -> str:
    """Why a restore does not begin, all of it."""
    return render(_refusal(name, obstacles))


def _refusal(name: str, obstacles: Sequence[Obstacle]) -> Iterator[Text]:
    for obstacle in obstacles:
        device = f"{obstacle.device}  " if obstacle.device else ""
        yield Text.assemble(("? ", "red"), (device, "bold"), obstacle.what)
        if obstacle.hint:
            yield Text(f"    {obstacle.hint}")
    reasons = plural(len(obstacles), "reason")
    yield Text(f"{name} is not restored: {reasons}. Nothing was changed.", "bold")


def restored(name: str, done: Mapping[str, str], kept_as: str) -> str:
    """What was brought back."""
    return render(_restored(name, done, kept_as))


def _restored(name: str, done: Mapping[str, str], kept_as: str) -> Iterator[Text]:
    for each, now in done.items():
        yield Text.assemble(("✓ ", "green"), (each, "bold"), f"  {now}")
    if kept_as:
        yield Text(f"What was there before: paisctl restore {name} --from {kept_as}")
