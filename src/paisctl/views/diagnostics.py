"""Diagnostics as text for people, and as JSON, GitHub annotations and SARIF for programs.

`docs/reference/lint.md` describes the keys. Lines of files are shown with anything that looks like
a secret masked, whatever the diagnostic is about.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.text import Text

from paisctl import __version__
from paisctl.diagnostics import Diagnostic, Diagnostics, Mark
from paisctl.views.excerpt import clean, excerpt, file_line, shown_path
from paisctl.views.json import dump

FORMAT = 1
WIDTH = 80
SARIF_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

_MAX_RELATED = 3
_MAX_SHOWN = 200  # problems; a program can have them all
_COLOURS = {"error": "bold red", "warning": "bold yellow", "hint": "bold cyan", "note": "bold"}


def as_text(diagnostics: Diagnostics, inventory: Sequence[Path] = ()) -> str:
    """The diagnostics as plain text, the summary last, with a line end."""
    return "".join(f"{line.plain}\n" for line in as_lines(diagnostics, inventory))


def as_lines(diagnostics: Diagnostics, inventory: Sequence[Path] = ()) -> Iterator[Text]:
    """The same text, line by line, with styles that a terminal may show."""
    items = list(diagnostics)
    for item in items[:_MAX_SHOWN]:
        yield from _paragraph(item.severity.value, item.message)
        yield from _place(item.mark, "^")
        for words, mark in item.related[:_MAX_RELATED]:
            yield from _paragraph("note", words)
            yield from _place(mark, "-")
        more = len(item.related) - _MAX_RELATED
        if more > 0:
            yield from _paragraph("note", f"and {more} more place{'s' if more > 1 else ''}")
        if item.hint:
            yield from _paragraph("hint", item.hint)
        yield Text()
    if len(items) > _MAX_SHOWN:
        yield from _paragraph(
            "note", f"and {len(items) - _MAX_SHOWN} more; `--format json` lists all"
        )
        yield Text()
    files = ", ".join(clean(shown_path(str(path))) for path in inventory)
    where = f" in {files}" if files else ""
    yield Text(f"{diagnostics.summary()}{where}")


def _paragraph(label: str, words: str) -> Iterator[Text]:
    lines = textwrap.wrap(
        f"{label}: {clean(words)}",
        WIDTH,
        subsequent_indent=" " * (len(label) + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    for number, line in enumerate(lines):
        text = Text(line)
        if number == 0:
            text.stylize(_COLOURS[label], 0, len(label) + 1)
        yield text


def _place(mark: Mark | None, underline: str) -> Iterator[Text]:
    if mark is None:
        return
    number = str(mark.line)
    gutter = " " * len(number)
    yield Text(f"{gutter}--> {clean(shown_path(mark.file))}:{mark.line}:{mark.column}")
    line = file_line(mark)
    if not line.strip():
        return
    shown, start, width = excerpt(line, mark, WIDTH - len(number) - 3)
    yield Text(f"{gutter} |")
    yield Text(f"{number} | {shown}")
    pointer = f"{gutter} | {' ' * start}"
    yield Text.assemble(pointer, (underline * width, "bold"))


def as_json(diagnostics: Diagnostics) -> str:
    """One JSON document, with a line end."""
    document = {
        "format": FORMAT,
        "summary": {"errors": len(diagnostics.errors), "warnings": len(diagnostics.warnings)},
        "diagnostics": [_entry(item) for item in diagnostics],
    }
    return dump(document)


def _entry(item: Diagnostic) -> dict[str, Any]:
    return {
        "severity": item.severity.value,
        "code": item.code,
        "message": item.message,
        "hint": item.hint,
        "place": _place_entry(item.mark) if item.mark else None,
        "related": [{"message": words, "place": _place_entry(m)} for words, m in item.related],
    }


def _place_entry(mark: Mark) -> dict[str, Any]:
    line, column, width = mark.line, mark.column, mark.width
    return {"file": shown_path(mark.file), "line": line, "column": column, "width": width}


def as_github(diagnostics: Diagnostics) -> str:
    """Workflow commands that GitHub shows beside the lines of a pull request.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    return "".join(f"{_command(item)}\n" for item in diagnostics)


def _command(item: Diagnostic) -> str:
    mark = _in_a_file(item)
    place: dict[str, object] = {"title": item.code}
    if mark:
        place = {
            "file": clean(shown_path(mark.file)),
            "line": mark.line,
            "col": mark.column,
            **place,
        }
        if mark.width:
            place["endColumn"] = mark.column + mark.width
    properties = ",".join(f"{key}={_escape(str(value), ':,')}" for key, value in place.items())
    return f"::{item.severity.value} {properties}::{_escape(_in_full(item))}"


def _escape(text: str, also: str = "") -> str:
    for character in f"%\r\n{also}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _in_full(item: Diagnostic) -> str:
    """The message, and what stands beside it in the text format, for places with one text only."""
    parts = [item.message]
    if item.mark and item.mark.text is not None:
        parts.append(f"rendered line {item.mark.line}: {clean(file_line(item.mark)).strip()}")
    parts += [f"{words}: {shown_path(m.file)}:{m.line}" for words, m in item.related]
    if item.hint:
        parts.append(f"hint: {item.hint}")
    return "\n".join(clean(line) for part in parts for line in part.splitlines())


def _in_a_file(item: Diagnostic) -> Mark | None:
    """The first place of a diagnostic that a reader can open; what was rendered is in no file."""
    marks = [item.mark, *(mark for _, mark in item.related)]
    return next((mark for mark in marks if mark and mark.text is None), None)


def as_sarif(diagnostics: Diagnostics) -> str:
    """A SARIF 2.1.0 log, with a line end (https://docs.oasis-open.org/sarif/sarif/v2.1.0/)."""
    codes = sorted({item.code for item in diagnostics})
    driver = {"name": "paisctl", "version": __version__, "rules": [_rule(code) for code in codes]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(item, codes) for item in diagnostics],
    }
    return dump({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(code: str) -> dict[str, Any]:
    words = code.replace("-", " ")
    return {"id": code, "shortDescription": {"text": words}, "fullDescription": {"text": words}}


def _result(item: Diagnostic, codes: list[str]) -> dict[str, Any]:
    mark = _in_a_file(item)
    related = [(words, m) for words, m in item.related if m.text is None and m is not mark]
    result: dict[str, Any] = {
        "ruleId": item.code,
        "ruleIndex": codes.index(item.code),
        "level": item.severity.value,
        "message": {"text": _in_full(item)},
        "locations": [_location(mark)] if mark else [],
    }
    if related:
        result["relatedLocations"] = [_location(m) | {"message": {"text": w}} for w, m in related]
    return result


def _location(mark: Mark) -> dict[str, Any]:
    region = {"startLine": mark.line, "startColumn": mark.column}
    if mark.width:
        region["endColumn"] = mark.column + mark.width
    artifact = {"uri": quote(Path(shown_path(mark.file)).as_posix())}
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}}
