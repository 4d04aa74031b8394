"""`paisctl plan`: what would change, and why. Changes nothing."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.cli import base as against
from paisctl.cli.context import (
    Devices,
    Diff,
    IgnoreDrift,
    On,
    OnlyDrift,
    Part,
    SkipTailnet,
    SkipUnreachable,
    Stacks,
    choose_scope,
)
from paisctl.cli.plan_format import Format, Json, Output, as_text, format_of

if TYPE_CHECKING:
    from paisctl.inventory.load import Fleet
    from paisctl.plan import Plan
    from paisctl.reconcile import Scope
    from paisctl.session import Session

Out = Annotated[
    Path | None,
    typer.Option(
        "-o", "--out", help="Also save the plan, for `paisctl apply FILE`.", metavar="FILE"
    ),
]
Base = Annotated[
    str | None,
    typer.Option(
        "--base",
        help="Plan from this git revision of the inventory instead of from the hosts. Asks no host "
        "and needs no secrets.",
        metavar="GITREV",
    ),
]
DetailedExitcode = Annotated[
    bool,
    typer.Option(
        "--detailed-exitcode",
        help="Exit with 0: nothing to do, 2: pending changes, 3: drift only, "
        "4: a host could not be read or a stack was refused, 1: failed.",
    ),
]


def plan(
    context: typer.Context,
    devices: Devices = None,
    *,
    on: On = None,
    stack: Stacks = None,
    diff: Diff = False,
    ignore_drift: IgnoreDrift = False,
    only_drift: OnlyDrift = False,
    skip_tailnet: SkipTailnet = False,
    skip_unreachable: SkipUnreachable = False,
    base: Base = None,
    out: Out = None,
    output: Output = None,
    as_json: Json = False,
    detailed_exitcode: DetailedExitcode = False,
) -> None:
    """Show what differs between the inventory and the hosts. Changes nothing.

    A plan of the whole fleet ends with the tailnet's access policy. Signs: + create, ~ change, ! mend
    (the host drifted), - remove, ? not read, z asleep. Exits with 1 when something could not be planned.

    With --base it shows what a change of the inventory would change, as if the hosts were as that
    revision asks. A stack that `apply` would refuse is shown, and is no failure then.

    \b
    Examples:
      paisctl plan 'm7-*' --stack qdrant --diff
      paisctl plan -o plan.json        # then: paisctl apply plan.json
      paisctl plan --base main --format markdown
    """
    form = format_of(output, as_json=as_json)
    if base is not None:
        against.refuse(out=out is not None, ignore_drift=ignore_drift, only_drift=only_drift)
        wanted = against.Wanted(devices, on, stack, diffs=diff, policy=not skip_tailnet)
        raise typer.Exit(against.show(context, base, wanted, form, detailed=detailed_exitcode))
    scope = choose_scope(ignore_drift=ignore_drift, only_drift=only_drift)
    part = Part(devices, on, stack, scope, skip_tailnet, skip_unreachable)
    found = _plan_hosts(context, part, form, out, diff=diff)
    raise typer.Exit(_detailed(found) if detailed_exitcode else int(not found.is_whole))


def _plan_hosts(
    context: typer.Context, part: Part, form: Format, out: Path | None, *, diff: bool
) -> Plan:
    """Read the hosts, show the plan, and save it if that is wanted."""
    from paisctl.cli.reach import reach

    _require_writable(out)
    wanted = reach(context, part.names, part.on, part.stacks, texts=diff)

    from paisctl.cli.policy import PolicyQuestion
    from paisctl.views.progress import watch_probes

    skips = part.skip_unreachable
    policy = PolicyQuestion(wanted.desired, is_wanted=part.has_policy)
    with watch_probes() as heard, wanted.open(heard, skips_away=skips) as session:
        found = policy.added_to(session.plan(wanted.stacks, part.scope), part.scope)
    typer.echo(as_text(found, form, show_diffs=diff), nl=False)
    _save(out, found, session, wanted.desired.fleet, wanted.stacks, part.scope)
    return found


def _require_writable(out: Path | None) -> None:
    """Know it before the hosts are read."""
    if out:
        from paisctl import plan_file

        plan_file.require_writable(out)


def _save(
    out: Path | None, plan: Plan, session: Session, fleet: Fleet, stacks: list[str], scope: Scope
) -> None:
    if out is None:
        return
    from paisctl import plan_file
    from paisctl.provenance import git_revision
    from paisctl.saved_plan import save

    saved = save(
        plan,
        session,
        fleet=fleet.inventory.name,
        revision=git_revision(fleet.directory),
        stacks=tuple(stacks),
        scope=scope,
    )
    plan_file.write(saved, out)
    typer.echo(f"saved to {out}; next: paisctl apply {shlex.quote(str(out))}", err=True)


def _detailed(plan: Plan) -> int:
    if not plan.is_whole:
        return 4
    if not plan:
        return 0
    return 3 if plan.is_drift_only else 2
