"""`paisctl apply`: show the plan, ask, carry it out, prove it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from paisctl.cli.carry_out import (
    APPLY,
    How,
    NoRollback,
    Transaction,
    Wait,
    Yes,
    carry_out,
    confirm,
)
from paisctl.cli.context import (
    Diff,
    IgnoreDrift,
    On,
    OnlyDrift,
    Part,
    SkipTailnet,
    SkipUnreachable,
    Stacks,
    choose_scope,
    seconds_of,
)
from paisctl.cli.order import Canary, MaxFailures, MaxParallel, Pause, order_of
from paisctl.cli.remembering import remember
from paisctl.cli.saved import apply_saved, named_plan
from paisctl.errors import UsageError

Targets = Annotated[
    list[str] | None,
    typer.Argument(
        help="Devices, by name or pattern (`m7-*`), or one saved plan. Default: all devices.",
        show_default=False,
        metavar="DEVICE|FILE",
    ),
]
ReplanMoved = Annotated[
    bool,
    typer.Option(
        "--replan-moved", help="With FILE: plan hosts that are not as it found them anew, and ask."
    ),
]


def apply(
    context: typer.Context,
    targets: Targets = None,
    *,
    on: On = None,
    stack: Stacks = None,
    yes: Yes = False,
    diff: Diff = False,
    ignore_drift: IgnoreDrift = False,
    only_drift: OnlyDrift = False,
    skip_tailnet: SkipTailnet = False,
    skip_unreachable: SkipUnreachable = False,
    no_rollback: NoRollback = False,
    transaction: Transaction = None,
    canary: Canary = None,
    max_parallel: MaxParallel = None,
    max_failures: MaxFailures = None,
    pause: Pause = None,
    wait: Wait = "0s",
    replan_moved: ReplanMoved = False,
) -> None:
    """Bring the hosts to what the inventory says. Shows the plan and asks first.

    A saved plan is carried out without a question, or refused as a whole when a host has moved.
    Hosts are changed side by side, and read again to prove it. The tailnet's access policy comes
    last and alone; a host that it locks out brings the old one back. Exits with 1 on a failure.

    \b
    Examples:
      paisctl apply k6 --stack redis-cache
      paisctl apply --canary k6        # the others only when k6 is well
      paisctl apply --yes --wait 10m   # in a script
      paisctl apply plan.json          # saved by `paisctl plan -o plan.json`
    """
    file = named_plan(context, targets, is_needed=replan_moved)
    order = order_of(canary, max_parallel, max_failures, pause)
    how = How(yes, no_rollback, transaction, seconds_of("--wait", wait), file is None, order)
    scope = choose_scope(ignore_drift=ignore_drift, only_drift=only_drift)
    part = Part(targets, on, stack, scope, skip_tailnet, skip_unreachable)
    _apply(context, file, part, how, diff=diff, replan_moved=replan_moved)


def _apply(
    context: typer.Context,
    file: Path | None,
    part: Part,
    how: How,
    *,
    diff: bool,
    replan_moved: bool,
) -> None:
    if file is None:
        _apply_inventory(context, part, how, diff=diff)
    elif part.is_limited:
        raise UsageError("a saved plan is carried out as it is", "leave out what would limit it")
    else:
        skips_away = part.skip_unreachable
        apply_saved(context, file, how, replan_moved=replan_moved, skips_away=skips_away)


def _apply_inventory(context: typer.Context, part: Part, how: How, *, diff: bool) -> None:
    from paisctl.cli.reach import reach

    while True:  # anew after waiting for others
        wanted = reach(context, part.names, part.on, part.stacks, texts=diff)

        from paisctl.cli.policy import PolicyQuestion
        from paisctl.provenance import git_revision
        from paisctl.views import human
        from paisctl.views.progress import watch_probes

        fleet = wanted.desired.fleet
        policy = PolicyQuestion(wanted.desired, is_wanted=part.has_policy)
        with ExitStack() as open_session:
            with watch_probes() as heard:
                session = open_session.enter_context(
                    wanted.open(heard, skips_away=part.skip_unreachable)
                )
            plan = policy.added_to(session.plan(wanted.stacks, part.scope), part.scope)
            typer.echo(human.plan(plan, show_diffs=diff), nl=False)
            if not plan:
                remember(session, plan, {}, fleet)
                raise typer.Exit(int(not plan.is_whole))
            pace = how.pace(plan, fleet)
            confirm(APPLY, yes=how.yes)
            carry_out(session, plan, how, pace, fleet, git_revision(fleet.directory))
