"""Columns of text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.text import Text

from paisctl.views.console import width

_GAP = "  "
_NARROW = 24  # columns that the last cell has at least, however wide the others are


def table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] = ()
) -> Iterator[Text]:
    """Rows below headings, each column as wide as it must be; the last one is wrapped.

    Args:
        headings: one per column.
        rows: cells without line ends.
        styles: one per row, or none.
    """
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    styled = zip(rows, styles or [""] * len(rows), strict=True)
    for cells, style in ((headings, "bold"), *styled):
        yield from _lines(cells, widths[:-1], style)


def _lines(cells: Sequence[str], widths: Sequence[int], style: str) -> Iterator[Text]:
    *first, last = cells
    start = "".join(cell.ljust(width) + _GAP for cell, width in zip(first, widths, strict=True))
    room = max(width() - len(start), _NARROW)
    parts = textwrap.wrap(last, room, break_long_words=False, break_on_hyphens=False) or [""]
    for part in parts:
        yield Text(f"{start}{part}".rstrip(), style)
        start = " " * len(start)
