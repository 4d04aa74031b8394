"""A line of a file as it is quoted to a person, and what of it is underlined."""

from __future__ import annotations

import re
import stat
import unicodedata
from functools import lru_cache
from pathlib import Path

from paisctl.diagnostics import Mark
from paisctl.inventory.leaks import mask
from paisctl.inventory.text import MAX_BYTES

# What YAML 1.1 parsers count as a line's end (https://yaml.org/spec/1.1/#id871136).
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_TAB = 4
_LONGEST = 2000  # characters; a longer line is no line that a person wrote
_JOINERS = "\u200c\u200d"
_ELLIPSIS = "…"


def shown_path(file: str) -> str:
    """A file's name relative to the working directory if it lies below it."""
    try:
        return Path(file).relative_to(Path.cwd()).as_posix()
    except ValueError:
        return file


def file_line(mark: Mark) -> str:
    """The line a mark is in, secrets masked; empty when it is very long or cannot be read."""
    line = mark.text
    if line is None:
        lines = _lines(Path(mark.file))
        line = lines[mark.line - 1] if 0 < mark.line <= len(lines) else ""
    return mask(line) if len(line) <= _LONGEST else ""


def _lines(file: Path) -> list[str]:
    try:
        changed = file.stat()
        is_text = stat.S_ISREG(changed.st_mode) and changed.st_size <= MAX_BYTES
        return _read_lines(file, changed.st_mtime_ns, changed.st_size) if is_text else []
    except OSError:
        return []


@lru_cache(maxsize=4)  # many problems are often in one file
def _read_lines(file: Path, _changed: int, _size: int) -> list[str]:
    return _LINE_END.split(file.read_text("utf-8-sig", "replace"))


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
    indent = min(len(before) - len(before.lstrip()), room // 2)
    marked = _cut(marked, room - indent - 2)
    if _cells(before) + _cells(marked) > room - 1:
        keep = max(room - _cells(marked) - indent - 2, 0)
        before = before[:indent] + _ELLIPSIS + (before[-keep:].lstrip() if keep else "")
    after = _cut(after, room - _cells(before) - _cells(marked))
    return (before + marked + after).rstrip(), _cells(before), max(_cells(marked), 1)


def clean(text: str) -> str:
    """A text without characters that would steer a terminal, or change the order of what it shows."""
    return "".join("\ufffd" if _is_steering(c) else c for c in text)


def _is_steering(character: str) -> bool:
    # Cf has what sets the direction of a text, and the joiners that emoji are made with.
    category = unicodedata.category(character)
    return category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and character not in _JOINERS)


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
