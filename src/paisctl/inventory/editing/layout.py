"""The lines of a text: what stands on them, and splices that keep all others as they are."""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# What ends a line for libyaml; a column counts from the last of these.
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


class Splice(NamedTuple):
    """Put `text` in the place of what stands from `start` up to `end`."""

    start: int
    end: int
    text: str = ""


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """The text after all splices, which do not overlap."""
    for start, end, piece in sorted(splices, reverse=True):
        text = text[:start] + piece + text[end:]
    return text


class Layout:
    """A text by lines, which count from 0. Offsets count characters."""

    def __init__(self, text: str) -> None:
        self.text = text
        breaks = list(_BREAK.finditer(text))
        self.starts = [0, *(found.end() for found in breaks)]
        self.ends = [*(found.start() for found in breaks), len(text)]
        self.line_break = breaks[0][0] if breaks else "\n"

    def line(self, at: int) -> int:
        return bisect_right(self.starts, at) - 1

    def column(self, at: int) -> int:
        return at - self.starts[self.line(at)]

    def before(self, at: int) -> str:
        """What stands on the line of `at` before it."""
        return self.text[self.starts[self.line(at)] : at]

    def rest(self, at: int) -> str:
        """What stands on the line of `at` from there on."""
        return self.text[at : self.ends[self.line(at)]]

    def is_blank(self, line: int) -> bool:
        """Whether there is nothing on a line, or no such line."""
        return not (0 <= line < len(self.starts) and self._content(line).strip())

    def is_comment(self, line: int) -> bool:
        return 0 <= line < len(self.starts) and self._content(line).lstrip().startswith("#")

    def indent(self, line: int) -> int:
        content = self._content(line)
        return len(content) - len(content.lstrip())

    def last_comment(self, line: int, least: int) -> int:
        """The last of the comment lines right below a line that are indented by `least` or more."""
        while self.is_comment(line + 1) and self.indent(line + 1) >= least:
            line += 1
        return line

    def first_comment(self, line: int, above: int, most: int = sys.maxsize) -> int:
        """The first of the comment lines right above a line, indented by `most` or less.

        Nothing up to the line `above` is one: it may be part of a text.
        """
        while line - 1 > above and self.is_comment(line - 1) and self.indent(line - 1) <= most:
            line -= 1
        return line

    def insert_after(self, line: int, lines: Sequence[str]) -> Splice:
        """Put whole lines below a line. What had no line break at its end still has none."""
        if line + 1 < len(self.starts):
            at = self.starts[line + 1]
            return Splice(at, at, "".join(new + self.line_break for new in lines))
        at = len(self.text)
        text = self.line_break.join(lines)
        return Splice(at, at, self.line_break + text if self.before(at) else text)

    def cut(self, first: int, last: int) -> Splice:
        """Take out whole lines; of two blank lines that would meet, one goes, too."""
        if first > 0 and self.is_blank(first - 1) and self.is_blank(last + 1):
            first -= 1
        if last + 1 < len(self.starts):
            return Splice(self.starts[first], self.starts[last + 1])
        return Splice(self.ends[first - 1] if first else 0, len(self.text))

    def _content(self, line: int) -> str:
        return self.text[self.starts[line] : self.ends[line]]
