"""Problems in what a person wrote, each with the place it was written.

Nothing here stops at the first problem: a `Diagnostics` collects, and the caller decides.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a file.

    Lines and columns count from 1; `width` is the length to underline, 0 for the whole line.
    `text` is the line itself where no file has it, as in what was rendered.
    """

    file: str
    line: int
    column: int = 1
    width: int = 0
    text: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


_LONGEST = 2000  # characters of a message
_MANY_PROBLEMS = 5000
_MANY = 60  # names in a list of what is known
_LONG = 80  # characters; nobody mistypes a name that long


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem.

    `code` is stable and short (`unknown-stack`), for filters and for SARIF. `related` are
    further places that belong to the problem, each with a few words.
    """

    severity: Severity
    code: str
    message: str
    mark: Mark | None = None
    hint: str | None = None
    related: tuple[tuple[str, Mark], ...] = ()

    def sort_key(self) -> tuple[object, ...]:
        mark = self.mark or Mark("", 0)
        return (mark, self.severity, self.code, self.message)


@dataclass(slots=True)
class Diagnostics:
    """A collection of problems; iterating yields them merged and sorted by place."""

    items: list[Diagnostic] = field(default_factory=list)
    is_full: bool = False  # further problems are not collected

    def error(
        self,
        code: str,
        message: str,
        mark: Mark | None = None,
        hint: str | None = None,
        related: Iterable[tuple[str, Mark]] = (),
    ) -> None:
        self._add(Severity.ERROR, code, message, mark, hint, related)

    def warning(
        self,
        code: str,
        message: str,
        mark: Mark | None = None,
        hint: str | None = None,
        related: Iterable[tuple[str, Mark]] = (),
    ) -> None:
        self._add(Severity.WARNING, code, message, mark, hint, related)

    def _add(
        self,
        severity: Severity,
        code: str,
        message: str,
        mark: Mark | None,
        hint: str | None,
        related: Iterable[tuple[str, Mark]],
    ) -> None:
        if self.is_full:
            return
        if len(self.items) >= _MANY_PROBLEMS:
            self.is_full = True
            severity, code, related = Severity.ERROR, "too-many", ()
            message, hint = f"more than {_MANY_PROBLEMS:,} problems", "mend these first"
        short, hint = _shortened(message), _shortened(hint) if hint else None
        self.items.append(Diagnostic(severity, code, short, mark, hint, tuple(related)))

    @property
    def errors(self) -> list[Diagnostic]:
        return [item for item in self if item.severity is Severity.ERROR]

    @property
    def warnings(self) -> list[Diagnostic]:
        return [item for item in self if item.severity is Severity.WARNING]

    def summary(self) -> str:
        """Count errors and warnings in words, e.g. `2 errors, 1 warning`."""
        counts = ((len(self.errors), "error"), (len(self.warnings), "warning"))
        said = [f"{n} {word}{'s' if n != 1 else ''}" for n, word in counts if n]
        return ", ".join(said) or "no problems"

    def __iter__(self) -> Iterator[Diagnostic]:
        """Yield each problem once, by place; one found from several sides has all their places."""
        merged: dict[Diagnostic, Diagnostic] = {}
        for item in self.items:
            alone = replace(item, related=())
            known = merged.get(alone, alone)
            merged[alone] = replace(
                known, related=tuple(dict.fromkeys((*known.related, *item.related)))
            )
        return iter(sorted(merged.values(), key=Diagnostic.sort_key))


def _shortened(text: str) -> str:
    """A message may quote what somebody wrote, which may have any length."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 4 :]}"


def did_you_mean(word: str, known: Iterable[str], what: str) -> str:
    """Word a hint for an unknown name: the nearest known one, and the list of all."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.6) if len(word) < _LONG else []
    more = f" and {len(choices) - _MANY} more" if len(choices) > _MANY else ""
    names = f"known {what}: {', '.join(choices[:_MANY])}{more}"
    listed = names if choices else f"there are no {what} yet"
    return f"did you mean `{near[0]}`? {listed}" if near else listed
