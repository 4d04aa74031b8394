"""`paisctl adopt`: take over a Compose project that somebody else has made, as it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.cli.carry_out import How, Wait, Yes, carry_out, confirm
from paisctl.cli.context import Diff, desired_of, seconds_of
from paisctl.errors import UsageError

if TYPE_CHECKING:
    from paisctl.pipeline import Desired

Device = Annotated[str, typer.Argument(help="The device that it runs on.", metavar="DEVICE")]
Stack = Annotated[
    str,
    typer.Argument(
        help="The stack of the inventory that it becomes; the project has its name.",
        metavar="STACK",
    ),
]
NewMounts = Annotated[
    bool,
    typer.Option(
        "--accept-new-mounts",
        help="Go on although a container would get other mounts, and leave behind what is in the old "
        "ones. --yes does not cover that.",
    ),
]


def adopt(
    context: typer.Context,
    device: Device,
    stack: Stack,
    *,
    accept_new_mounts: NewMounts = False,
    diff: Diff = False,
    yes: Yes = False,
    wait: Wait = "0s",
) -> None:
    """Take over a Compose project that runs already. Shows what would be done and asks first.

    Containers that are as the stack would have them stay as they are, with their IDs; others are made
    anew, and it is said what differs in each. Volumes stay. Nothing is done where data would be left
    behind. A failure is left as it is: there is no way back to files that paisctl has not written.

    \b
    Examples:
      paisctl adopt nas tesseract
    """
    from paisctl import pipeline
    from paisctl.execution.batches import Pace
    from paisctl.provenance import git_revision
    from paisctl.reconcile import Adoption
    from paisctl.views import human
    from paisctl.views.progress import watch_probes

    how = How(
        yes, no_rollback=True, transaction=False, wait=seconds_of("--wait", wait), command="adopt"
    )
    desired = desired_of(context)
    _require(desired, device, stack)
    with watch_probes() as heard, pipeline.session(desired, [device], heard, texts=diff) as session:
        plan = session.adopt(device, stack, Adoption(accept_new_mounts))
        typer.echo(human.plan(plan, show_diffs=diff), nl=False)
        if not plan:
            raise typer.Exit(int(not plan.is_whole))
        confirm(f"Adopt {stack} on {device}?", yes=yes)
        revision = git_revision(desired.fleet.directory)
        carry_out(session, plan, how, Pace(), desired.fleet, revision)


def _require(desired: Desired, device: str, stack: str) -> None:
    """Insist on a device that is to run the stack.

    Raises:
        UsageError: there is none of that name, or it does not run it.
    """
    from paisctl.cli.choose import choose

    choose(desired, [device], None, [stack])
    host = desired.hosts.get(device)
    if host is None:
        raise UsageError(f"name one device: `{device}` is none that paisctl deploys to")
    if stack not in host.stacks:
        raise UsageError(
            f"the inventory does not put `{stack}` on {device}",
            f"add `{stack}:` to the device's `stacks`",
        )
