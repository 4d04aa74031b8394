"""`paisctl acl`: the tailnet's access policy, from the inventory to the control plane."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.cli.carry_out import Yes, confirm
from paisctl.cli.context import desired_of, settings

if TYPE_CHECKING:
    from paisctl.inventory.load import Fleet

app = typer.Typer(
    help="The tailnet's access policy: derived from the inventory, proven, applied.",
    no_args_is_help=True,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DetailedExitcode = Annotated[
    bool,
    typer.Option(
        "--detailed-exitcode",
        help="Exit with 0: nothing to do, 2: pending changes, 3: edited by hand only, 1: failed.",
    ),
]


@app.command("render")
def render(
    context: typer.Context,
    plain: Annotated[
        bool, typer.Option("--plain", help="Plain JSON, without comments and stamp.")
    ] = False,
) -> None:
    """Print the access policy that the inventory asks for. Asks nobody.

    It is HuJSON, JSON with comments, as the admin console shows it.

    \b
    Example:
      paisctl acl render --plain | jq .grants
    """
    from paisctl.policy.text import write
    from paisctl.rendering.tailnet.words import policy_text

    desired = desired_of(context)
    policy = desired.tailnet.policy
    text = (
        write(policy, stamp=False)
        if plain
        else policy_text(desired.fleet.inventory.name, desired.tailnet)
    )
    typer.echo(text, nl=False)


@app.command("test")
def prove(
    context: typer.Context,
    live: Annotated[
        bool, typer.Option("--live", help="Also have the control plane validate the policy.")
    ] = False,
) -> None:
    """Prove the access policy: its own tests, every connection, nothing too wide.

    `lint`, `plan` and `apply` prove the same before anything else. With --live the control plane is
    asked as well; it changes nothing.

    Exits with 0 when all of it holds, with 1 when something does not.

    \b
    Examples:
      paisctl acl test
      paisctl acl test --live
    """
    from paisctl.rendering.tailnet.words import policy_text
    from paisctl.tailnet.connect import connect
    from paisctl.views import access as view

    desired = desired_of(context)  # which proves it, or fails with all that is wrong
    typer.echo(view.proof(desired.tailnet), nl=False)
    if not live:
        return
    with connect(desired.fleet) as control:
        findings = control.validate(policy_text(desired.fleet.inventory.name, desired.tailnet))
    typer.echo(view.findings(control.name, findings), nl=False)
    raise typer.Exit(int(any(not finding.is_warning for finding in findings)))


@app.command("explain")
def explain(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(help="A device, login, role, group, tag or address.", metavar="SRC")
    ],
    target: Annotated[
        str,
        typer.Argument(
            help="A device or a service, perhaps with a port or one of its services.",
            metavar="DST[:PORT]",
        ),
    ],
    *,
    live: Annotated[
        bool,
        typer.Option("--live", help="Also ask the control plane which rules are about each port."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Say which rule and which line of the inventory let SRC reach DST, or why nothing does.

    With --live the control plane says the same of the policy as it would be; it changes nothing.

    \b
    Examples:
      paisctl acl explain child1@example.com nas
      paisctl acl explain rpi5-1 litellm
      paisctl acl explain mac-mini k6:6335
    """
    from paisctl.cli.policy import previews
    from paisctl.rendering.tailnet.explain import Explainer
    from paisctl.views import access as view

    desired = desired_of(context)
    answers = Explainer(desired.tailnet, desired.fleet).explain(source, target)
    matches = previews(desired, answers) if live else {}
    shown = view.explanation_json if as_json else view.explanation
    typer.echo(shown(answers, matches), nl=False)


@app.command("pull")
def pull(
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write it to a file.", metavar="FILE"),
    ] = None,
) -> None:
    """Print the policy that is in force, with its comments.

    \b
    Example:
      paisctl acl pull -o policy-before.hujson
    """
    from paisctl.tailnet.connect import connect

    with connect(desired_of(context).fleet) as control:
        text = control.policy().text
    if output is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        output.write_text(text, "utf-8", newline="")
        typer.echo(f"wrote {output}", err=True)


@app.command("diff")
def diff(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Compare with this policy instead of the one in force.",
            show_default=False,
            metavar="FILE",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say who would gain and who would lose which port of which device. Changes nothing.

    \b
    Examples:
      paisctl acl diff
      paisctl acl diff policy-before.hujson   # offline
    """
    from paisctl.cli.policy import policy_in_force, policy_of, usable
    from paisctl.tailnet.comparison import plan_policy
    from paisctl.views import access as view

    desired = desired_of(context)
    live = policy_of(file) if file else policy_in_force(desired)
    called = str(file) if file else "the policy in force"
    plan = usable(plan_policy(desired.fleet.inventory.name, desired.tailnet, live, called))
    typer.echo(view.difference_json(plan) if as_json else view.difference(plan), nl=False)


@app.command("plan")
def plan(
    context: typer.Context,
    as_json: Json = False,
    detailed_exitcode: DetailedExitcode = False,
) -> None:
    """Show how the policy in force differs from what the inventory asks for. Changes nothing.

    \b
    Example:
      paisctl acl plan --detailed-exitcode
    """
    from paisctl.cli.policy import plan_over_policy_in_force
    from paisctl.plan import Plan
    from paisctl.views import human, json

    desired = desired_of(context)
    found = Plan(policy=plan_over_policy_in_force(desired))
    typer.echo(json.plan(found) if as_json else human.plan(found), nl=False)
    if detailed_exitcode and found:
        raise typer.Exit(3 if found.is_drift_only else 2)


@app.command("apply")
def apply(context: typer.Context, *, yes: Yes = False) -> None:
    """Put the policy that the inventory asks for in force, unless that locks somebody out.

    Shows the plan and asks. The control plane validates the policy first. Then every host is logged
    in to over a new connection; if one cannot be reached any more, the old policy is put back.

    Exits with 0 when the new policy is in force and proven, with 1 when it is not.

    \b
    Example:
      paisctl acl apply
    """
    from paisctl.cli.policy import plan_over_policy_in_force, set_policy
    from paisctl.plan import Plan
    from paisctl.tailnet.applying import require_ended, require_ours
    from paisctl.views import human

    desired = desired_of(context)
    require_ours(desired.fleet)
    require_ended(desired.fleet)
    policy = plan_over_policy_in_force(desired)
    typer.echo(human.plan(Plan(policy=policy)), nl=False)
    if policy.changes:
        confirm("Put this policy in force?", yes=yes)
        raise typer.Exit(int(not set_policy(desired.fleet, policy)))


@app.command("finish")
def finish(context: typer.Context) -> None:
    """End an `acl apply` that was cut short: keep the new policy if every host can be reached.

    \b
    Example:
      paisctl acl finish
    """
    from paisctl.cli.policy import finish_policy

    raise typer.Exit(int(not finish_policy(_fleet(context))))


@app.command("back")
def back(context: typer.Context) -> None:
    """End an `acl apply` that was cut short: put the old policy back.

    \b
    Example:
      paisctl acl back
    """
    from paisctl.cli.policy import put_policy_back

    raise typer.Exit(int(not put_policy_back(_fleet(context))))


def _fleet(context: typer.Context) -> Fleet:
    """The fleet, whatever else is wrong with the inventory: this must always be possible."""
    from paisctl import pipeline

    return pipeline.read_fleet(settings(context).inventory)
