"""A line of a file as it is quoted to a person, and what of it is underlined."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from paisctl.diagnostics import Mark
from paisctl.inventory.leaks import mask

# What YAML 1.1 parsers count as a line's end (https://yaml.org/spec/1.1/#id871136).
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_TAB = 4
_ELLIPSIS = "…"


def shown_path(file: str) -> str:
    """A file's name relative to the working directory if it lies below it."""
    try:
        return Path(file).relative_to(Path.cwd()).as_posix()
    except ValueError:
        return file


def file_line(mark: Mark) -> str:
    """The line a mark is in, secrets masked; empty when it cannot be read."""
    if mark.text is not None:
        return mask(mark.text)
    lines = _lines(Path(mark.file))
    return mask(lines[mark.line - 1]) if 0 < mark.line <= len(lines) else ""


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text("utf-8-sig", "replace")
    except OSError:
        return []
    return _LINE_END.split(text)


def excerpt(line: str, mark: Mark, room: int) -> tuple[str, int, int]:
    """Cut a line to size around a mark.

    Returns:
        The text to show, and the first cell and the number of cells to underline.
    """
    start, width = mark.column - 1, mark.width
    if not width:  # the whole line
        start = len(line) - len(line.lstrip())
        width = len(line.strip())
    before, marked, after = line[:start], line[start : start + width], line[start + width :]
    before, marked, after = (clean(part.expandtabs(_TAB)) for part in (before, marked, after))
    marked = _cut(marked, room - 2)
    if _cells(before) + _cells(marked) > room - 1:
        indent = len(before) - len(before.lstrip())
        keep = max(room - _cells(marked) - indent - 2, 0)
        before = before[:indent] + _ELLIPSIS + (before[-keep:].lstrip() if keep else "")
    after = _cut(after, room - _cells(before) - _cells(marked))
    return (before + marked + after).rstrip(), _cells(before), max(_cells(marked), 1)


def clean(text: str) -> str:
    """A text without characters that would move the cursor or colour a terminal."""
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)


def _cut(text: str, room: int) -> str:
    if _cells(text) <= room:
        return text
    while text and _cells(text) > room - 1:
        text = text[:-1]
    return text + _ELLIPSIS


def _cells(text: str) -> int:
    """How many columns of a terminal a text fills."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)
