"""Asking, carrying a plan out, and saying how it ended: what all commands that change hosts share."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.cli.order import Order, settle
from paisctl.cli.remembering import remember
from paisctl.errors import UsageError

if TYPE_CHECKING:
    from paisctl.events import HostResult
    from paisctl.execution.batches import Pace
    from paisctl.execution.conduct import Conduct
    from paisctl.inventory.load import Fleet
    from paisctl.plan import Plan
    from paisctl.report import Report
    from paisctl.session import Session

APPLY = "Apply these changes?"
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoRollback = Annotated[
    bool,
    typer.Option(
        "--no-rollback", help="Leave a stack that fails as it is, to look into it; do not go back."
    ),
]
Transaction = Annotated[
    bool | None,
    typer.Option(
        "--transaction/--no-transaction",
        help="When a host fails, let the hosts that are done go back, too; or not. "
        "Default: `apply.strategy` of the inventory.",
        show_default=False,
    ),
]
Wait = Annotated[
    str,
    typer.Option(
        "--wait",
        help="Wait so long for somebody else's apply to end, such as 90s or 10m.",
        metavar="DURATION",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class How:
    """What the command line asks for.

    `transaction` is None for what the inventory says, `wait` is in seconds, `command` is for logs.
    `back_to` are the generations that hosts are to go back to, by device; empty for an apply.
    `replans` is whether the command can plan anew after it waited for somebody else. `order` is which
    hosts come first, as far as the command line says so.
    """

    yes: bool = False
    no_rollback: bool = False
    transaction: bool | None = None
    wait: float = 0.0
    replans: bool = False
    order: Order = field(default_factory=Order)
    command: str = "apply"
    back_to: Mapping[str, int] = field(default_factory=dict)

    def is_transaction(self, fleet: Fleet) -> bool:
        """Whether the hosts that are done go back, too, when one fails."""
        if self.transaction is None:
            return fleet.inventory.apply.strategy == "transaction"
        return self.transaction

    def pace(self, plan: Plan, fleet: Fleet) -> Pace:
        """Say in which order the hosts of a plan will be changed, before anybody is asked.

        Raises:
            PaisctlError: it cannot be done in that order.
        """
        atomic = self.is_transaction(fleet)
        return settle(plan, self.order, fleet, self.command.partition(" ")[0], atomic=atomic)


def confirm(question: str, *, yes: bool) -> None:
    """Ask whether to go ahead, unless `--yes` was given; a no ends the command.

    Raises:
        UsageError: there is nobody to ask.
    """
    sys.stdout.flush()  # the plan comes before the question about it
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask on", "add --yes to go ahead without being asked"
        )
    if not typer.confirm(f"\n{question}", err=True):
        typer.echo("nothing was changed", err=True)
        raise typer.Exit(1)


def carry_out(
    session: Session, plan: Plan, how: How, pace: Pace, fleet: Fleet, revision: str
) -> None:
    """Carry a plan out, prove it, say how it ended, and end the command.

    It comes back only if it waited for somebody else (`--wait`) who has changed a host, so that there
    has to be another plan.

    Args:
        session: the hosts, read.
        plan: what to do.
        how: as asked for on the command line.
        pace: which hosts come first, and how many at once.
        fleet: the inventory, for what the command line leaves open.
        revision: the git revision that the plan was made from.
    """
    from paisctl.execution.conduct import Conduct
    from paisctl.saved_plan import digest_of
    from paisctl.views import report as view

    conduct = Conduct(
        command=how.command,
        revision=revision,
        plan=digest_of(plan),
        rollback=not how.no_rollback,
        wait=how.wait,
        keep=fleet.inventory.apply.keep_generations,
        pace=pace,
    )
    results: Mapping[str, HostResult] = {}
    succeeded = plan.is_whole
    if plan.changing:
        report = _apply(session, plan, conduct, how, transaction=how.is_transaction(fleet))
        if how.wait and how.replans and report.was_overtaken:
            typer.echo("\na host was changed meanwhile: reading and planning anew\n", err=True)
            return
        typer.echo(view.as_text(report, how.back_to), nl=False)
        results, succeeded = report.results, report.succeeded
    remember(session, plan, results, fleet)
    raise typer.Exit(int(not _apply_policy(plan, fleet, after_all=succeeded)))


def _apply_policy(plan: Plan, fleet: Fleet, *, after_all: bool) -> bool:
    """The access policy comes last and alone, once all else is done; whether that is so at the end."""
    from paisctl.cli.policy import set_policy

    if plan.policy is None or not plan.policy.changes:
        return after_all
    if not after_all:
        typer.echo("The access policy was left as it is, since not all else was done.")
        typer.echo("next: should hosts lack access, paisctl acl apply")
        return False
    return set_policy(fleet, plan.policy)


def _apply(
    session: Session, plan: Plan, conduct: Conduct, how: How, *, transaction: bool
) -> Report:
    """Carry it out; what an interrupt lets end is reported, too, before the command ends."""
    from paisctl.execute import Interrupted
    from paisctl.views import report as view
    from paisctl.views.progress import watch_apply

    try:
        with watch_apply(plan) as listener:
            results = session.apply(plan, listener, conduct, transaction=transaction)
    except Interrupted as stopped:
        typer.echo(view.as_text(session.report(plan, stopped.results), how.back_to), nl=False)
        typer.echo("\nstopped; `paisctl plan` shows what is left to do", err=True)
        raise
    except KeyboardInterrupt:
        typer.echo("\nleft; hosts end what they are in: `paisctl status`, then plan", err=True)
        raise
    return session.report(plan, results)
