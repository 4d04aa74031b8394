"""`paisctl rollout`: the members of a stateful stack, one after the other."""

from __future__ import annotations

from typing import Annotated

import typer

from paisctl.cli import rollout_status
from paisctl.cli import rollout_steps as steps
from paisctl.cli.carry_out import Yes
from paisctl.cli.rollout_steps import Step, Wishes
from paisctl.errors import UsageError

Name = Annotated[
    str | None,
    typer.Argument(
        help="A rollout that the inventory declares. Default: list them.",
        show_default=False,
        metavar="NAME",
    ),
]
What = Annotated[
    Step,
    typer.Argument(
        help="start: what the inventory changes; restart: without a change; status: how far it is; "
        "resume: go on with one that stopped or broke off; abort: put back what was set for the "
        "time of it, and end.",
        metavar="[start|restart|status|resume|abort]",
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        help="Write this tag into the inventory first.",
        metavar="TAG",
        show_default=False,
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything and show the steps; change nothing.")
]
NoSnapshot = Annotated[
    bool, typer.Option("--no-snapshot", help="Take no snapshots before the first member.")
]
ReplicateFirst = Annotated[
    bool,
    typer.Option("--replicate-first", help="Give data with one copy a second one first."),
]
AcceptDowntime = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-downtime",
        help="Let this collection be away while its only member is; may be repeated.",
        metavar="COLLECTION",
        show_default=False,
    ),
]
RebuildNode = Annotated[
    str | None,
    typer.Option(
        "--rebuild-node",
        help="With resume: put the data of this member aside, and fill it from the others.",
        metavar="DEVICE",
        show_default=False,
    ),
]
PutBack = Annotated[
    str | None,
    typer.Option(
        "--put-back",
        help="With abort: give this member its version before, if its data was not touched.",
        metavar="DEVICE",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="With status: print it as JSON.")]


def rollout(
    context: typer.Context,
    name: Name = None,
    step: What = Step.START,
    *,
    to: To = None,
    dry_run: DryRun = False,
    no_snapshot: NoSnapshot = False,
    replicate_first: ReplicateFirst = False,
    accept_downtime: AcceptDowntime = None,
    rebuild_node: RebuildNode = None,
    put_back: PutBack = None,
    as_json: Json = False,
    yes: Yes = False,
) -> None:
    """Change the members of a stack one after the other, each one only when all others are whole.

    Refuses to begin as long as anything is wrong, and says all of it. Each member is drained in the
    load balancers, changed, and has to pass the stack's gates before the next one. Where one does not
    come back, the rollout stops, and says what is known and what can be done.

    How far it is is remembered on the members' hosts: after a crash, or from another laptop, `resume`
    goes on. Exits with 1 when it was refused or stopped.

    \b
    Examples:
      paisctl rollout knowledge --to v1.19.0
      paisctl rollout knowledge --dry-run
      paisctl rollout knowledge status
    """
    accepted = tuple(accept_downtime or ())
    wishes = Wishes(
        to, dry_run, no_snapshot, replicate_first, accepted, rebuild_node, put_back, as_json, yes
    )
    wishes.check(step)
    _take(context, name, step, wishes)


def _take(context: typer.Context, name: str | None, step: Step, wishes: Wishes) -> None:
    """Take the step that is asked for."""
    if name is None:
        rollout_status.show_all(context)
    elif name in set(Step):
        raise UsageError(f"`{name}` of which rollout?", f"paisctl rollout NAME {name}")
    elif step is Step.STATUS:
        rollout_status.show_status(context, name, as_json=wishes.as_json)
    elif step is Step.RESUME:
        steps.resume(context, name, wishes)
    elif step is Step.ABORT:
        steps.abort(context, name, wishes)
    else:
        steps.start(context, name, wishes, is_restart=step is Step.RESTART)
