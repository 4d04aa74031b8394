"""How `paisctl plan` writes a plan: its options, and from them to a text."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from paisctl.errors import UsageError

if TYPE_CHECKING:
    from paisctl.diagnostics import Diagnostic
    from paisctl.plan import Plan
    from paisctl.revision import Then


class Format(StrEnum):
    """How a plan is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


Output = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="For people, for programs, or for a comment on a pull request. Default: text.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="The same as --format json.")]


def format_of(output: Format | None, *, as_json: bool) -> Format:
    """The format that two options ask for.

    Raises:
        UsageError: they ask for different ones.
    """
    if as_json and output not in (None, Format.JSON):
        raise UsageError(f"--json and --format {output} exclude each other", "give one of them")
    return Format.JSON if as_json else output or Format.TEXT


def as_text(
    plan: Plan,
    form: Format,
    *,
    show_diffs: bool,
    then: Then | None = None,
    warnings: Sequence[Diagnostic] = (),
) -> str:
    """A plan in a format; `then` is the revision that it starts from, if not from the hosts."""
    from paisctl.views import human, json, markdown

    if form is Format.JSON:
        return json.plan(plan, then)
    if form is Format.MARKDOWN:
        return markdown.plan(plan, show_diffs=show_diffs, then=then, warnings=warnings)
    return human.plan(plan, show_diffs=show_diffs, then=then)
