"""`paisctl plan --base`: an inventory against another revision of it. Asks no host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from paisctl.cli.plan_format import Format, as_text
from paisctl.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from paisctl.diagnostics import Diagnostics, Mark
    from paisctl.pipeline import Desired
    from paisctl.plan import Plan, PolicyPlan
    from paisctl.revision import Then

_NOTHING = '{"grants": []}'  # the policy of an inventory that was not there


@dataclass(frozen=True, slots=True)
class Within:
    """What is compared: these devices, or the whole fleet with what has left it if None.

    No stacks means all. `policy` says whether the access policies are compared, too, `diffs` whether
    files are line by line.
    """

    devices: Sequence[str] | None
    stacks: Sequence[str]
    policy: bool
    diffs: bool


def plan_from(
    base: str,
    paths: Sequence[Path],
    desired: Desired,
    within: Within,
    form: Format,
) -> tuple[Plan, str]:
    """Plan from a revision of the inventory, and write that down.

    Args:
        base: the revision.
        paths: the inventory, then its overlays.
        desired: what they ask for now.
        within: what to compare.
        form: how to write it.

    Raises:
        UsageError: there is no such revision.
        InvalidInput: it does not pass lint as it is today.
    """
    from paisctl.revision import project_at

    with project_at(paths, base) as then:
        before = _desired_then(then) if then.paths else None
        plan = _compared(before, desired, within, then.revision)
        known = {(each.code, each.message) for each in before.diagnostics} if before else set()
        new = [each for each in desired.diagnostics if (each.code, each.message) not in known]
        return plan, as_text(plan, form, show_diffs=within.diffs, then=then, warnings=new)


def status(plan: Plan, *, detailed: bool) -> int:
    """The exit status of a plan from a revision; what would be refused was planned all the same."""
    if plan.problems or (plan.policy and plan.policy.problem):
        return 1
    return 2 if detailed and (plan or plan.refused) else 0


def _compared(before: Desired | None, desired: Desired, within: Within, called: str) -> Plan:
    from paisctl.inventory.rollouts import groups_of
    from paisctl.reconcile.revisions import compare

    plan = compare(
        before.hosts if before else {},
        desired.hosts,
        devices=within.devices,
        stacks=within.stacks,
        groups=groups_of(desired.fleet),
        diffs_from=called if within.diffs else "",
    )
    policy = _policy(desired, before, called) if within.policy else None
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
