"""`rollout abort --put-back DEVICE`: the version before, where its data was not touched."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from paisctl.cli.carry_out import confirm
from paisctl.errors import PaisctlError, UsageError

if TYPE_CHECKING:
    from paisctl.pipeline import Desired
    from paisctl.rollout.record import Record
    from paisctl.rollout.scene import Scene


def put_back(desired: Desired, scene: Scene, record: Record, device: str, *, yes: bool) -> None:
    """Take the member that a rollout is at back to what it had before, and see it pass the gates.

    Args:
        desired: says how to reach it.
        scene: the rollout's hosts.
        record: how far the rollout is.
        device: the member.
        yes: do not ask.

    Raises:
        UsageError: the rollout is not at this member.
        PaisctlError: its data was touched by the new version, or that cannot be told; or it failed.
    """
    from paisctl.rollout.gates import pass_gates
    from paisctl.views.rollout_progress import watch_rollout

    _refuse_unsafe(scene, record, device)
    _take_back(desired, record.stack, device, yes=yes)
    task = replace(record.task, target=record.before[device])
    limits = scene.definition.limits
    with watch_rollout([device], list(limits)) as watcher:
        pass_gates(device, scene.driver.gates(device, task), limits, watcher)


def _refuse_unsafe(scene: Scene, record: Record, device: str) -> None:
    """Refuse what could lose data, or what the rollout is not at."""
    if record.begun != [device]:
        raise UsageError(f"the rollout is not at {device}", f"paisctl rollout {record.name} status")
    if problem := scene.opened.away.get(device):
        raise PaisctlError(f"{device} cannot be taken back: {problem}", f"is it on? ssh {device}")
    if device not in record.before:
        raise PaisctlError(
            f"what {device} ran before is not known", f"paisctl history {device}; then rollback"
        )
    diagnosis = scene.driver.diagnose(device, record.task)
    if not diagnosis.may_go_back:
        why = (
            "was touched by the new version" if diagnosis.may_go_back is False else "may have been"
        )
        raise PaisctlError(
            f"{device} is not taken back: its data {why}, and the old one would refuse it",
            f"mend it, or empty it: paisctl rollout {record.name} resume --rebuild-node {device}",
        )


def _take_back(desired: Desired, stack: str, device: str, *, yes: bool) -> None:
    """Bring a member's stack to the generation before, and prove it."""
    from paisctl.execution.conduct import Conduct
    from paisctl.rollback import open_rollback
    from paisctl.session import Session
    from paisctl.views import human
    from paisctl.views import report as view
    from paisctl.views.progress import watch_apply, watch_probes

    with ExitStack() as open_host:
        with watch_probes() as listener:
            back = open_host.enter_context(open_rollback(desired.fleet, [device], listener))
        session = back.session
        alone = Session(session.hosts, session.vault, session.targets, session.states)
        plan = replace(back, session=alone).plan([stack])
        typer.echo(human.plan(plan), nl=False)
        confirm(f"Take {device} back?", yes=yes)
        with watch_apply(plan) as listener:
            conduct = Conduct(command=back.command, revision=back.revision, rollback=False)
            report = session.report(plan, session.apply(plan, listener, conduct))
    typer.echo(view.as_text(report), nl=False)
    if not report.succeeded:
        raise PaisctlError(f"{device} could not be taken back", f"paisctl plan {device}")
