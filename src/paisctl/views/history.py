"""What hosts remember: their generations, and the runs of a whole fleet; as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from rich.text import Text

from paisctl.history import (
    Generation,
    Run,
    current_generation,
    generations_of,
    runs_of,
    unreadable_lines,
)
from paisctl.observed import HostState
from paisctl.views.console import minute, plural, render
from paisctl.views.json import FORMAT, dump
from paisctl.views.table import table

_GENERATIONS = ("  GEN", "WHEN (UTC)", "WHO", "COMMAND", "REVISION", "CHANGED")
_RUNS = ("WHEN (UTC)", "HOST", "WHO", "COMMAND", "OUTCOME", "GENERATION", "STACKS")
_STYLES = {"applied": "", "unlocked": "", "running": "", "stopped": "yellow"}
_SHORT = 7  # hex digits of a git commit


def revision(text: str) -> str:
    """A git revision, its commit shortened: `1a2b3c4-dirty`."""
    commit, dash, dirty = text.partition("-")
    return f"{commit[:_SHORT]}{dash}{dirty}"


def generations(states: Mapping[str, HostState]) -> str:
    """The generations of each host."""
    blocks = [list(_host(state)) for state in states.values()]
    return render(line for n, block in enumerate(blocks) for line in (*[Text()] * bool(n), *block))


def _host(state: HostState) -> Iterator[Text]:
    if not was_read(state):
        yield from _unread(state)
        return
    found = generations_of(state)
    if not found:
        yield Text.assemble((state.device, "bold"), "  nothing was applied to it yet")
        return
    yield Text.assemble((state.device, "bold"), f"  at generation {current_generation(state)}")
    yield from table(_GENERATIONS, [_generation(each) for each in found])


def _generation(generation: Generation) -> tuple[str, ...]:
    origin = generation.origin
    changed = ", ".join(generation.changed)
    problem = f"({generation.problem})" if generation.problem else ""
    return (
        f"{'*' if generation.is_current else ' '} {generation.number}",
        minute(generation.started) or "-",
        origin.author or "-",
        origin.command or "-",
        revision(origin.revision) or "-",
        f"{changed} {problem}".strip() or "-",
    )


def was_read(state: HostState) -> bool:
    """Whether a host has said what it remembers; it may have no Docker that answers."""
    return bool(state.root)


def _unread(state: HostState) -> Iterator[Text]:
    yield Text.assemble(("? ", "red"), (f"{state.device}  ", "bold"), state.problem)
    if state.hint:
        yield Text(f"    hint: {state.hint}")


def runs(states: Mapping[str, HostState]) -> str:
    """The runs of all hosts, the newest first."""
    return render(_run_lines(states))


def _run_lines(states: Mapping[str, HostState]) -> Iterator[Text]:
    found = all_runs(states)
    if found:
        styles = [_STYLES.get(run.outcome, "red") for run in found]
        yield from table(_RUNS, [_run(run) for run in found], styles)
    for state in states.values():
        if not was_read(state):
            yield from _unread(state)
        elif damaged := unreadable_lines(state):
            lines = plural(damaged, "line")
            yield Text(f"! {state.device}  {lines} of its audit.log cannot be read", "yellow")
    if not found:
        yield Text("No runs: nothing was applied yet.", "bold")


def all_runs(states: Mapping[str, HostState]) -> list[Run]:
    """The runs of hosts, the newest first; of equally old ones, in the inventory's order."""
    found = [run for state in states.values() for run in reversed(runs_of(state))]
    return sorted(found, key=lambda run: run.time, reverse=True)


def _run(run: Run) -> tuple[str, ...]:
    return (
        minute(run.time) or "-",
        run.device,
        run.origin.author or "-",
        run.origin.command or "-",
        run.outcome or "-",
        "-" if run.generation is None else str(run.generation),
        stacks_of(run) or "-",
    )


def stacks_of(run: Run) -> str:
    """The stacks of a run; with how each one ended, unless all did as the run."""
    if set(run.stacks.values()) <= {run.outcome}:
        return ", ".join(run.stacks)
    return ", ".join(f"{name} {outcome}" for name, outcome in run.stacks.items())


def generations_as_json(states: Mapping[str, HostState]) -> str:
    """One JSON document, with a line end."""
    hosts = [
        _json_host(state) | {"generations": [_json(each) for each in generations_of(state)]}
        for state in states.values()
    ]
    return dump({"format": FORMAT, "hosts": hosts})


def runs_as_json(states: Mapping[str, HostState]) -> str:
    """One JSON document, with a line end."""
    hosts = [
        _json_host(state) | {"unreadable_lines": unreadable_lines(state)}
        for state in states.values()
    ]
    found = [_json(run) | {"stacks": dict(run.stacks)} for run in all_runs(states)]
    return dump({"format": FORMAT, "hosts": hosts, "runs": found})


def _json_host(state: HostState) -> dict[str, Any]:
    if was_read(state):
        return {"device": state.device, "problem": None, "hint": None}
    return {"device": state.device, "problem": state.problem, "hint": state.hint or None}


def _json(record: Generation | Run) -> dict[str, Any]:
    """The fields of a record beside those of its origin; what is not known is null."""
    values = asdict(record)
    values |= values.pop("origin")
    return {
        key.removeprefix("is_"): None if value == "" else value for key, value in values.items()
    }
