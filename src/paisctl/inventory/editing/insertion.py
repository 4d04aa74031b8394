"""Where and how something new is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from paisctl.inventory.editing import emit
from paisctl.inventory.editing.document import Document, NotSpliceable
from paisctl.inventory.editing.layout import Splice
from paisctl.inventory.editing.tree import Entry, Node
from paisctl.inventory.source import Path_

_COMMA = re.compile(r"\s*,")
_REST = re.compile(r"\s*(#.*)?")  # nothing but a comment


def set_value(document: Document, path: Path_, value: Any) -> list[Splice]:
    """Write another value in the place of one, or a key that is not there yet."""
    trail = document.trail(path)
    if len(trail) <= len(path):
        return _add_missing(document, trail, path, value, ())
    document.refuse_shared(trail[-1])
    return replace_value(document, trail[-1], value)


def add_item(document: Document, path: Path_, item: Any, before: Sequence[str]) -> list[Splice]:
    """Write an item at the end of a sequence, which is made where there is none."""
    trail = document.trail(path)
    if len(trail) <= len(path):
        return _add_missing(document, trail, path, [item], before)
    document.refuse_shared(trail[-1])
    entry, node = trail[-1], trail[-1].value
    if node.kind == "sequence" and node.is_block:
        return [_append_block_item(document, entry, item)]
    in_block = len(trail) > 1 and trail[-2].value.is_block and entry.key is not None
    if in_block and isinstance(item, dict) and not node.entries and entry.opening is not None:
        return _open_block(document, entry, item)
    if node.kind == "sequence":
        return _append_flow(document, entry, emit.flow(item, _last_value(node)))
    return replace_value(document, entry, [item])


def replace_value(document: Document, entry: Entry, value: Any) -> list[Splice]:
    """Write a value in the place of all that is written for an entry's."""
    node, layout = entry.value, document.layout
    document.refuse_used(entry)
    if node.anchor:
        raise NotSpliceable(f"its value is anchored as `&{node.anchor}`", node.start)
    text = emit.flow(value, node)
    if entry.opening is not None and node.is_block:
        first = layout.line(entry.opening)
        if layout.line(node.start) > first:
            last = document.layout.last_comment(
                layout.line(node.entries[-1].end), layout.column(entry.head) + 1
            )
            opened = Splice(entry.opening, entry.opening, " " + text)
            return [opened, layout.cut(first + 1, last)]
    if node.start < node.end:
        return [Splice(node.start, node.end, text)]
    if entry.opening is None:
        return [Splice(entry.end, entry.end, f": {text}")]
    return [Splice(entry.opening, entry.opening, f" {text}")]


def _add_missing(
    document: Document, trail: Sequence[Entry], path: Path_, value: Any, before: Sequence[str]
) -> list[Splice]:
    """Write what is missing at the end of a trail: one key, which may hold further ones."""
    depth = max(len(trail) - 1, 0)
    name = str(path[depth])
    for inner in reversed(path[depth + 1 :]):
        value = {inner: value}
    if not trail:
        lines = emit.entry_lines(name, value, 0, document.step, None)
        empty = len(document.layout.starts) - 1
        if document.layout.is_blank(empty):
            return [Splice(len(document.text), len(document.text), _joined(document, lines))]
        return [document.layout.insert_after(empty, lines)]
    entry, node = trail[-1], trail[-1].value
    if node.is_null:
        return replace_value(document, entry, {name: value})
    if node.is_flow:
        return _append_flow(document, entry, emit.pair(name, value, node))
    return [_add_block_entry(document, entry, name, value, before)]


def _joined(document: Document, lines: Sequence[str]) -> str:
    return "".join(line + document.layout.line_break for line in lines)


def _add_block_entry(
    document: Document, parent: Entry, name: str, value: Any, before: Sequence[str]
) -> Splice:
    layout, node = document.layout, parent.value
    column = layout.column(node.entries[0].head)
    lines = emit.entry_lines(name, value, column, document.step, node)
    following = next((entry for entry in node.entries if entry.name in before), None)
    if following is None:
        return _append_lines(document, parent, lines)
    if layout.before(following.head).strip():
        raise NotSpliceable("it does not begin its line", following.head)
    # The first entry need not stand apart from what is above it.
    neighbours = [following, *(node.entries[1:2] if following is node.entries[0] else ())]
    apart = any(document.is_apart(entry, parent) for entry in neighbours)
    at = layout.starts[document.lines_of(following, parent)[0]]
    return Splice(at, at, _joined(document, [*lines, ""] if apart else lines))


def _append_block_item(document: Document, entry: Entry, item: Any) -> Splice:
    layout = document.layout
    last = entry.value.entries[-1]
    column = layout.column(last.head)
    on_its_line = layout.line(last.value.start) == layout.line(last.head)
    is_written = last.value.start < last.value.end
    gap = last.value.start - last.head if on_its_line and is_written else 2
    lines = emit.item_lines(item, column, gap, last.value)
    return _append_lines(document, entry, lines)


def _append_lines(document: Document, parent: Entry, lines: Sequence[str]) -> Splice:
    """Put lines below the last entry of a block and its own comments, as far apart as others are.

    A comment further below stays there: above the new lines, it would be about these.
    """
    entries = parent.value.entries
    line = document.lines_of(entries[-1], parent)[1]
    apart = len(entries) > 1 and document.is_apart(entries[-1], parent)
    return document.layout.insert_after(line, ["", *lines] if apart else lines)


def _open_block(document: Document, entry: Entry, item: Any) -> list[Splice]:
    """Write the first item below a key that has `[]` or nothing."""
    layout, node = document.layout, entry.value
    if entry.opening is None or layout.line(node.end) > layout.line(entry.opening):
        return replace_value(document, entry, [item])
    column = layout.column(entry.head)
    line = layout.last_comment(layout.line(entry.opening), column + 1)
    lines = emit.item_lines(item, column + document.step, 2, None)
    opened = layout.insert_after(line, lines)
    return [Splice(entry.opening, node.end), opened] if node.end > entry.opening else [opened]


def _append_flow(document: Document, entry: Entry, piece: str) -> list[Splice]:
    """Write an entry before the closing bracket, on a line of its own if the last one has that."""
    layout, node = document.layout, entry.value
    if not node.entries:
        start = document.text.index("{" if node.kind == "mapping" else "[", node.start) + 1
        is_blank = not document.text[start : node.end - 1].strip()
        return [Splice(start, node.end - 1 if is_blank else start, piece)]
    last = node.entries[-1]
    comma = _COMMA.match(document.text, last.end)
    end = comma.end() if comma else last.end
    starts_line = not layout.before(last.head).strip()
    if starts_line and _REST.fullmatch(layout.rest(end)):
        indented = layout.before(last.head) + piece
        below = layout.insert_after(layout.line(end), [indented + "," if comma else indented])
        return [below] if comma else [Splice(end, end, ","), below]
    return [Splice(end, end, f" {piece}" if comma else f", {piece}")]


def _last_value(node: Node) -> Node | None:
    return node.entries[-1].value if node.entries else None
