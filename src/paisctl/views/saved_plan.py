"""Saved plans as a person reads them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.text import Text

from paisctl.reconcile import Scope
from paisctl.saved_plan import SavedPlan, digest_of
from paisctl.views import human
from paisctl.views.console import plural, render

_SCOPES = {Scope.PENDING: "drift left alone", Scope.DRIFT: "drift only"}


def as_text(saved: SavedPlan) -> str:
    """Where a saved plan is from, then what `paisctl plan` printed when it was saved."""
    return render(_heading(saved)) + human.plan(saved.plan, show_diffs=True)


def _heading(saved: SavedPlan) -> Iterator[Text]:
    limits = [*(f"stack {stack}" for stack in saved.stacks), _SCOPES.get(saved.scope, "")]
    facts = {
        "plan": digest_of(saved.plan),
        "fleet": saved.fleet,
        "revision": saved.revision or "not in git",
        "limited to": ", ".join(filter(None, limits)),
        "saved by": f"paisctl {saved.paisctl}",
    }
    for name, value in facts.items():
        if value:
            yield Text.assemble((f"{name:10}  ", "dim"), value)
    yield Text()


def moved(
    saved: SavedPlan, found: Mapping[str, Sequence[str]], path: Path, *, replanned: bool
) -> str:
    """What of the hosts is not as a saved plan found it, and what becomes of that.

    Args:
        saved: the plan.
        found: what moved, in words, by device.
        path: the plan's file.
        replanned: whether these hosts are planned anew now; otherwise nothing is done.
    """
    return render(_moved_lines(saved, found, path, replanned=replanned)) if found else ""


def _moved_lines(
    saved: SavedPlan, found: Mapping[str, Sequence[str]], path: Path, *, replanned: bool
) -> Iterator[Text]:
    for device, words in found.items():
        yield Text.assemble(("? ", "red"), (device, "bold"), "  is not as the plan found it")
        yield from (Text(f"    {each}") for each in words)
    yield Text()
    if replanned:
        return
    changing = plural(len(saved.changing), "host")
    is_not = "is not" if len(found) == 1 else "are not"
    yield Text(
        f"Refused: {len(found)} of {changing} {is_not} as the plan found it. Nothing was changed.",
        "bold",
    )
    yield Text(f"next: paisctl apply {shlex.quote(str(path))} --replan-moved")
