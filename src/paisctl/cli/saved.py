"""Telling a saved plan from a device on the command line, and carrying one out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import typer

from paisctl.cli.carry_out import APPLY, How, carry_out, confirm
from paisctl.cli.context import settings
from paisctl.cli.remembering import remember
from paisctl.errors import UsageError


def named_plan(
    context: typer.Context, names: Sequence[str] | None, *, is_needed: bool = False
) -> Path | None:
    """The saved plan that one of some names is: a file, and no device has that name.

    Raises:
        UsageError: a name can only be a file's, and there is none; or there are names beside it; or
            there is no saved plan, and an option goes with one only.
    """
    files = [name for name in names or () if _is_file(context, name)]
    if is_needed and not files:
        raise UsageError("--replan-moved goes with a saved plan", "paisctl apply FILE")
    if not files:
        return None
    if list(names or ()) != files[:1]:
        raise UsageError(
            f"{files[0]} is a saved plan, which names its own devices", "leave out all other names"
        )
    return Path(files[0])


def _is_file(context: typer.Context, name: str) -> bool:
    from paisctl import pipeline

    is_no_device = name.endswith(".json") or "/" in name
    if not Path(name).is_file():
        if is_no_device:
            raise UsageError(f"there is no saved plan {name}", "save one: paisctl plan -o FILE")
        return False
    return is_no_device or name not in pipeline.read_fleet(settings(context).inventory).devices


def apply_saved(
    context: typer.Context, path: Path, how: How, *, replan_moved: bool, skips_away: bool
) -> None:
    """Carry out just what a saved plan says, if its hosts are as it found them; end the command."""
    from paisctl import pipeline, plan_file
    from paisctl.provenance import git_revision
    from paisctl.resume import asleep_in, replan, resume, without
    from paisctl.tailnet.applying import require_as_planned
    from paisctl.views import human
    from paisctl.views import saved_plan as view
    from paisctl.views.progress import watch_probes

    saved, files = plan_file.read(path), settings(context).inventory
    fleet, plan, revision = pipeline.read_fleet(files), saved.plan, saved.revision
    hosts = pipeline.desire(files).hosts if replan_moved else None
    if not plan and not replan_moved:
        typer.echo(human.plan(plan), nl=False)
        raise typer.Exit(int(not plan.is_whole))
    if plan.policy and plan.policy.changes:
        require_as_planned(fleet, plan.policy)  # before any host is touched
    with ExitStack() as open_session:
        with watch_probes() as listener:
            session = open_session.enter_context(resume(saved, fleet, listener, hosts))
        asleep = asleep_in(session, fleet, skips_away=skips_away)
        awake = {name: each for name, each in session.states.items() if name not in asleep}
        moved = saved.moved(awake, session.vault)
        typer.echo(view.moved(saved, moved, path, replanned=replan_moved), nl=False)
        if moved and not replan_moved:
            raise typer.Exit(1)
        plan = replan(saved, session, moved) if replan_moved else plan
        is_new, plan = plan != saved.plan, without(plan, asleep, session)
        typer.echo(human.plan(plan, show_diffs=True), nl=False)
        if not plan:
            remember(session, plan, {}, fleet)
            raise typer.Exit(int(not plan.is_whole))
        pace = how.pace(plan, fleet)
        if is_new:
            revision = git_revision(fleet.directory)
            confirm(APPLY, yes=how.yes)
        carry_out(session, plan, how, pace, fleet, revision)
