"""One line of what a host says while it applies, as `emit` in hostside/apply.sh writes it."""

from __future__ import annotations

import json
from dataclasses import dataclass

PREFIX = "@paisctl "


@dataclass(frozen=True, slots=True)
class HostEvent:
    """What a host says. A text that it left out is empty.

    Attributes:
        kind: what happens: `ready`, `step`, `applied`.
        stack: the stack it is about.
        step: the operation, as the plan shows it.
        detail: more about it, for people.
        log: the last lines of what a program printed.
    """

    kind: str
    stack: str = ""
    step: str = ""
    detail: str = ""
    log: tuple[str, ...] = ()


def parse_event(line: str) -> HostEvent | None:
    """The event in a line that begins with `PREFIX`; None when it is damaged."""
    try:
        said = json.loads(line.removeprefix(PREFIX))
        kind, *texts = (said.get(name, "") for name in ("event", "stack", "step", "detail"))
        log = said.get("log", [])
    except (ValueError, AttributeError, RecursionError):
        return None
    if isinstance(log, list) and all(isinstance(each, str) for each in (kind, *texts, *log)):
        stack, step, detail = texts
        return HostEvent(kind, stack, step, detail, tuple(log))
    return None
