"""`paisctl user`: the people in the inventory, and what a change of them means to everybody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paisctl.cli.carry_out import Yes, confirm
from paisctl.cli.context import desired_of, settings

if TYPE_CHECKING:
    from paisctl.diagnostics import Diagnostics, Mark
    from paisctl.inventory.edit import Edit
    from paisctl.inventory.load import Fleet
    from paisctl.pipeline import Desired
    from paisctl.plan import PolicyPlan

app = typer.Typer(help="The people: who they are, what they may reach.", no_args_is_help=True)

Login = Annotated[str, typer.Argument(help="Login name in the tailnet.", metavar="LOGIN")]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="Only these models; may be repeated.", metavar="MODEL"),
]
Cloud = Annotated[
    bool | None,
    typer.Option("--cloud/--no-cloud", help="Whether requests may leave for the cloud."),
]
Budget = Annotated[
    float | None,
    typer.Option("--budget", help="US dollars a month in the cloud.", metavar="DOLLARS", min=0),
]
Filter = Annotated[
    str | None,
    typer.Option("--filter", help="Content filter: off, moderate, strict.", metavar="LEVEL"),
]


@app.command("list")
def list_(
    context: typer.Context,
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Also ask the tailnet whether it knows them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the people with their roles, what they may reach, and their limits.

    \b
    Examples:
      paisctl user list
      paisctl user list --live
    """
    from paisctl.tailnet.connect import connect
    from paisctl.views import people as view

    fleet = desired_of(context).fleet
    known = None
    if live:
        with connect(fleet) as control:
            known = control.users()
    as_ = view.as_json if as_json else view.as_text
    typer.echo(as_(fleet.inventory, known), nl=False)


@app.command("add")
def add(
    context: typer.Context,
    login: Login,
    *,
    role: Annotated[str, typer.Option("--role", help="Their role.", metavar="ROLE")],
    model: Models = None,
    cloud: Cloud = None,
    budget: Budget = None,
    filter_: Filter = None,
    yes: Yes = False,
) -> None:
    """Add a person to the inventory. Shows what changes for whom, and asks first.

    \b
    Example:
      paisctl user add child2@example.com --role child
    """
    from paisctl.inventory import roster

    limits = _limits(model, cloud, budget, filter_)
    _edit(context, lambda fleet: roster.add(fleet, login, role, limits), yes=yes, joins=login)


@app.command("set")
def set_(
    context: typer.Context,
    login: Login,
    *,
    role: Annotated[
        str | None, typer.Option("--role", help="Another role.", metavar="ROLE")
    ] = None,
    model: Models = None,
    cloud: Cloud = None,
    budget: Budget = None,
    filter_: Filter = None,
    unset: Annotated[
        list[str] | None,
        typer.Option(
            "--unset",
            help="Take out what was set for this person alone, so that the role decides: "
            "allowed_models, allow_cloud, cloud_budget_monthly, content_filter.",
            metavar="KEY",
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Change a person's role or limits. Shows what changes for whom, and asks first.

    \b
    Example:
      paisctl user set child1@example.com --role adult --unset allowed_models
    """
    from paisctl.inventory import roster

    keys = _known(unset or ())
    limits = _limits(model, cloud, budget, filter_)
    _edit(context, lambda fleet: roster.change(fleet, login, role, limits, keys), yes=yes)


@app.command("remove")
def remove(context: typer.Context, login: Login, yes: Yes = False) -> None:
    """Remove a person from the inventory. Shows what they lose, and asks first.

    What is theirs elsewhere stays until somebody removes it there; it is said what that is.

    \b
    Example:
      paisctl user remove child1@example.com
    """
    from paisctl.inventory import roster

    _edit(context, lambda fleet: roster.remove(fleet, login), yes=yes, leaves=login)


def _limits(
    models: list[str] | None, cloud: bool | None, budget: float | None, filter_: str | None
) -> dict[str, Any]:
    from math import isfinite

    from paisctl.errors import UsageError

    if budget is not None and not isfinite(budget):
        raise UsageError(f"--budget: {budget} is no sum of money", "write for example 20")
    whole = int(budget) if budget is not None and budget == int(budget) else budget
    return {
        "allowed_models": models,
        "allow_cloud": cloud,
        "cloud_budget_monthly": whole,
        "content_filter": filter_,
    }


def _known(keys: Sequence[str]) -> Sequence[str]:
    from paisctl.diagnostics import did_you_mean
    from paisctl.errors import UsageError
    from paisctl.inventory.people import Limits

    for key in keys:
        if key not in Limits.model_fields:
            hint = did_you_mean(key, Limits.model_fields, "keys")
            raise UsageError(f"`{key}` is nothing that a role decides", hint)
    return keys


def _edit(
    context: typer.Context,
    edits_of: Callable[[Fleet], list[Edit]],
    *,
    yes: bool,
    joins: str = "",
    leaves: str = "",
) -> None:
    """Change the inventory, after showing what that changes for whom; nothing to change is well."""
    from paisctl import pipeline
    from paisctl.errors import InvalidInput
    from paisctl.inventory import roster
    from paisctl.inventory.edit import edited, write
    from paisctl.views import people as view

    paths = settings(context).inventory
    before = pipeline.desire(paths)
    path = roster.file_with_users(before.fleet, paths)
    text = _text_of(path)
    new = edited(text, edits_of(before.fleet), str(path))
    if new == text:
        typer.echo(f"{path} says so already: nothing to change")
        return
    try:
        after = pipeline.desire(paths, texts={path: new})
    except InvalidInput as invalid:
        raise InvalidInput(_quoting(invalid.diagnostics, path, new)) from None
    policy, files = _policy_change(before, after), _changed_files(before, after)
    typer.echo(view.change(path, text, new, policy, files), nl=False)
    confirm(f"Write this to {path}?", yes=yes)
    write(path, text, new)
    following = "acl apply" if policy.changes else "apply" if files else ""
    to_do = view.to_do(after.fleet.inventory, following, joins=joins, leaves=leaves)
    typer.echo(to_do, err=True, nl=False)


def _quoting(found: Diagnostics, path: Path, text: str) -> Diagnostics:
    """Problems of a text that is not written yet, quoting its lines instead of the file's."""
    from paisctl.diagnostics import Diagnostics

    lines = text.splitlines()

    def quoted(mark: Mark) -> Mark:
        is_there = mark.file == str(path) and mark.line <= len(lines)
        return replace(mark, text=lines[mark.line - 1]) if is_there else mark

    return Diagnostics(
        [
            replace(
                item,
                mark=item.mark and quoted(item.mark),
                related=tuple((words, quoted(mark)) for words, mark in item.related),
            )
            for item in found
        ]
    )


def _policy_change(before: Desired, after: Desired) -> PolicyPlan:
    from paisctl.rendering.tailnet.words import policy_text
    from paisctl.tailnet.comparison import plan_policy
    from paisctl.tailnet.control import LivePolicy

    name = after.fleet.inventory.name
    return plan_policy(name, after.tailnet, LivePolicy(policy_text(name, before.tailnet), ""))


def _changed_files(before: Desired, after: Desired) -> list[str]:
    """The files on hosts that would be rendered differently."""
    return [
        f"{device}/compose:{name}  {path}"
        for device, host in after.hosts.items()
        for name, stack in host.stacks.items()
        for path, file in stack.files.items()
        if before.hosts[device].stacks[name].files.get(path) != file
    ]


def _text_of(path: Path) -> str:
    from paisctl.diagnostics import Diagnostics
    from paisctl.errors import InvalidInput
    from paisctl.inventory.text import read_text

    diagnostics = Diagnostics()
    text = read_text(path, diagnostics)
    if text is None:
        raise InvalidInput(diagnostics)
    return text
