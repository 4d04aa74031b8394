"""The generation that a host would go back to, and a plan for it in words of its own. Pure."""

from __future__ import annotations

import difflib
from dataclasses import replace

from paisctl.errors import HostError
from paisctl.history import BROKE_OFF, Generation, generations_of, runs_of
from paisctl.manifest import UnusableManifest, parse_manifest
from paisctl.observed import HostState
from paisctl.plan import Cause, Change, HostPlan
from paisctl.secrets import Vault

_HALFWAY = ("failed", "stranded", BROKE_OFF)  # ends of a run that leave no generation of their own


def find_aim(state: HostState, number: int | None = None) -> Generation:
    """The generation that a host would go back to.

    Args:
        state: the host, read with its history.
        number: that generation; None for the one before the current one, or for the current one
            itself where the last run has left something else.

    Raises:
        HostError: it could not be read, or has no such generation, or not all of it.
    """
    if state.problem:
        raise HostError(state.problem, state.hint)
    try:
        current = parse_manifest(state.manifest).generation
    except UnusableManifest as error:
        raise HostError(str(error), f"paisctl plan {state.device}") from None
    found = generations_of(state)
    runs = runs_of(state)
    is_left_halfway = bool(runs) and runs[-1].outcome in _HALFWAY
    before = (g for g in found if g.number < current or (is_left_halfway and g.is_current))
    asked = (g for g in found if g.number == number)
    aim = next(before if number is None else asked, None)
    usable = [str(g.number) for g in found if g.is_usable and not g.is_current]
    hint = (
        f"kept are: {', '.join(usable)}"
        if usable
        else "there is no other one that it could go back to"
    )
    if not current:
        raise HostError("nothing was applied to it, so there is no way back")
    if aim is None:
        missing = f"no generation before {current}" if number is None else f"no generation {number}"
        raise HostError(f"it keeps {missing}", hint)
    if not aim.is_usable:
        raise HostError(f"there is no way back to generation {aim.number}: {aim.problem}", hint)
    return aim


def describe_plan(plan: HostPlan, aim: Generation, state: HostState, vault: Vault) -> HostPlan:
    """A plan in the words of going back: it is not the inventory that asks.

    Args:
        plan: what going back would change.
        aim: where to.
        state: the host; with texts, changed files get a diff.
        vault: keeps secrets out of the diffs.
    """
    stacks = []
    for stack in plan.stacks:
        revision = _revision(state, aim.number, stack.name)
        changes = (_reworded(change, aim.number) for change in stack.changes)
        shown = tuple(_with_diff(c, revision, aim.number, state, vault) for c in changes)
        stacks.append(replace(stack, changes=shown))
    note = f"back to generation {aim.number} ({_origin(aim)})"
    return replace(plan, stacks=tuple(stacks), notes=(note, *plan.notes))


def _origin(generation: Generation) -> str:
    if generation.problem:
        return generation.problem
    origin, when = generation.origin, generation.started[:16].replace("T", " ")
    return f"{origin.command} by {origin.author}, {when} UTC"


def _revision(state: HostState, number: int, stack: str) -> str:
    """Under which name the host keeps a stack of a generation."""
    texts = (kept.stacks for kept in state.generations if kept.number == number)
    lines = (line.partition(" ") for text in texts for line in text.splitlines())
    return next((revision for name, _, revision in lines if name == stack), "")


def _reworded(change: Change, number: int) -> Change:
    if change.cause is Cause.ORPHAN:
        kept = "" if change.subject.startswith("file ") else "; volumes kept"
        return replace(change, reason=f"generation {number} did not have it{kept}")
    is_from_rendering = change.reason in ("", "new") or change.reason.startswith("the bundle ")
    if change.cause is not Cause.DRIFT and is_from_rendering:
        return replace(change, reason=f"as in generation {number}", mark=None)
    return change


def _with_diff(
    change: Change, revision: str, number: int, state: HostState, vault: Vault
) -> Change:
    stack, path = change.address.name, change.subject.removeprefix("file ")
    now = state.texts.get(f"stacks/{stack}/{path}")
    then = state.texts.get(f"generations/kept/{stack}/{revision}/files/{path}")
    if path == change.subject or now is None or then is None:
        return change
    lines = difflib.unified_diff(
        vault.redact(now).splitlines(),
        vault.redact(then).splitlines(),
        f"{path} (on {state.device})",
        f"{path} (of generation {number})",
        lineterm="",
    )
    return replace(change, diff="\n".join(lines))
