"""`paisctl plan --base`: an inventory against another revision of it. Asks no host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from paisctl.cli.context import settings
from paisctl.cli.plan_format import Format, as_text
from paisctl.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from paisctl.diagnostics import Diagnostics, Mark
    from paisctl.pipeline import Desired
    from paisctl.plan import Plan, PolicyPlan
    from paisctl.revision import Then

_NOTHING = '{"grants": []}'  # the policy of an inventory that was not there


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for: devices and stacks as for any plan, none meaning all.

    `policy` says whether the access policies are compared, too, `diffs` whether files are line by line.
    """

    devices: Sequence[str] | None
    selector: str | None
    stacks: Sequence[str] | None
    diffs: bool
    policy: bool

    @property
    def is_fleet(self) -> bool:
        """Whether it is about all devices, also those that are gone."""
        return not (self.devices or self.selector)


def show(context: typer.Context, base: str, wanted: Wanted, form: Format, *, detailed: bool) -> int:
    """Print the plan from a revision of the inventory, and say how to exit.

    Raises:
        UsageError: there is no such revision, or something was asked for that does not exist.
        InvalidInput: the inventory, as it is or as it was, does not pass lint.
    """
    from paisctl import pipeline
    from paisctl.revision import project_at

    paths = settings(context).inventory
    desired = pipeline.desire(paths)
    with project_at(paths, base) as then:
        before = _desired_then(then) if then.paths else None
        plan = _compared(before, desired, wanted, then.revision)
        known = {(each.code, each.message) for each in before.diagnostics} if before else set()
        new = [each for each in desired.diagnostics if (each.code, each.message) not in known]
        text = as_text(plan, form, show_diffs=wanted.diffs, then=then, warnings=new)
    typer.echo(text, nl=False)
    if plan.problems or (plan.policy and plan.policy.problem):
        return 1
    # What apply would refuse was planned all the same.
    return 2 if detailed and (plan or plan.refused) else 0


def _compared(before: Desired | None, desired: Desired, wanted: Wanted, called: str) -> Plan:
    from paisctl.cli.choose import choose
    from paisctl.inventory.rollouts import groups_of
    from paisctl.reconcile.revisions import compare

    devices, stacks = None, list(wanted.stacks or ())
    if stacks or not wanted.is_fleet:
        chosen, stacks = choose(desired, wanted.devices, wanted.selector, stacks)
        devices = None if wanted.is_fleet else chosen
    plan = compare(
        before.hosts if before else {},
        desired.hosts,
        devices=devices,
        stacks=stacks,
        groups=groups_of(desired.fleet),
        diffs_from=called if wanted.diffs else "",
    )
    is_whole = wanted.is_fleet and not stacks
    policy = _policy(desired, before, called) if is_whole and wanted.policy else None
    return replace(plan, policy=policy)


def _desired_then(then: Then) -> Desired:
    from paisctl import pipeline

    try:
        return pipeline.desire(then.paths)
    except InvalidInput as invalid:
        message = f"the inventory at {then.revision} has errors, so nothing can be compared with it"
        typer.echo(f"error: {message}", err=True)
        typer.echo("hint: name a revision that passes `paisctl lint` of today\n", err=True)
        raise InvalidInput(_named(invalid.diagnostics, then)) from None


def _named(diagnostics: Diagnostics, then: Then) -> Diagnostics:
    """The same problems, their files called as git calls them and their lines quoted at once."""
    from paisctl.diagnostics import Diagnostics
    from paisctl.views.excerpt import file_line

    def named(mark: Mark) -> Mark:
        return replace(mark, file=then.named(mark.file), text=file_line(mark))

    return Diagnostics(
        [
            replace(
                item,
                message=then.named(item.message),
                mark=item.mark and named(item.mark),
                related=tuple((words, named(mark)) for words, mark in item.related),
            )
            for item in diagnostics
        ]
    )


def _policy(desired: Desired, before: Desired | None, revision: str) -> PolicyPlan | None:
    """Who gains and who loses what; None if the inventory leaves the policy to others."""
    from paisctl.plan import PolicyPlan
    from paisctl.rendering.tailnet.words import policy_text
    from paisctl.tailnet.comparison import plan_policy
    from paisctl.tailnet.control import LivePolicy

    fleet = desired.fleet.inventory
    if not fleet.tailnet.policy:
        return None
    if before is None:
        found = plan_policy(fleet.name, desired.tailnet, LivePolicy(_NOTHING, ""))
        return replace(found, notes=())
    was = before.fleet.inventory
    if not was.tailnet.policy:
        note = (
            f"the policy was left to others at {revision}; with what is in force: paisctl acl diff"
        )
        return PolicyPlan(notes=(note,))
    live = LivePolicy(policy_text(was.name, before.tailnet), "")
    called = f"the policy at {revision}"
    return plan_policy(fleet.name, desired.tailnet, live, called, before.tailnet)


def refuse(*, out: bool, ignore_drift: bool, only_drift: bool) -> None:
    """Refuse what asks for hosts that --base does not read.

    Raises:
        UsageError: one of these was given.
    """
    if out:
        raise UsageError(
            "a plan with --base cannot be saved: no host was read for it",
            "save one of the hosts: paisctl plan -o FILE",
        )
    if ignore_drift or only_drift:
        option = "--ignore-drift" if ignore_drift else "--only-drift"
        raise UsageError(f"--base reads no host, so it knows no drift: leave {option} out")
