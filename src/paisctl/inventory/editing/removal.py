"""What goes when a key or an item goes: its lines and its comments, or its part of a line."""

from __future__ import annotations

import re

from paisctl.inventory.editing.document import Document, NotSpliceable
from paisctl.inventory.editing.insertion import replace_value
from paisctl.inventory.editing.layout import Splice
from paisctl.inventory.editing.tree import Entry
from paisctl.inventory.source import Path_

_COMMA = re.compile(r"\s*,")
_REST = re.compile(r"[ \t]*(,[ \t]*)?(#.*)?")  # no more than a comma and a comment


def remove(document: Document, path: Path_) -> list[Splice]:
    """Take out the entry at `path`, which is there; `{}` or `[]` is left of the last one."""
    trail = document.trail(path)
    entry, parent = trail[-1], trail[-2]
    document.refuse_used(entry)
    if len(parent.value.entries) == 1:
        return _empty(document, parent)
    if parent.value.is_flow:
        return _remove_flow(document, parent, entry)
    return _remove_block(document, parent, entry)


def _empty(document: Document, parent: Entry) -> list[Splice]:
    node, layout = parent.value, document.layout
    if node.is_flow:
        [cut] = _remove_flow(document, parent, node.entries[0])
        left = document.text[node.start : cut.start] + document.text[cut.end : node.end]
        if "#" in left:  # comments that are not about the entry, between brackets on many lines
            return [cut]
    if node.is_flow or node.anchor:
        return replace_value(document, parent, {} if node.kind == "mapping" else [])
    only, brackets = node.entries[0], "{}" if node.kind == "mapping" else "[]"
    first, last = document.lines_of(only, parent)
    begins_line = not layout.before(only.head).strip()
    if parent.opening is None or not begins_line:
        start = layout.starts[first] if begins_line else only.head
        return [Splice(start, layout.ends[last], brackets)]
    return [Splice(parent.opening, parent.opening, f" {brackets}"), layout.cut(first, last)]


def _remove_block(document: Document, parent: Entry, entry: Entry) -> list[Splice]:
    layout, entries = document.layout, parent.value.entries
    first, last = document.lines_of(entry, parent)
    before = layout.before(entry.head)
    position = entries.index(entry)
    if not before.strip():
        if position + 1 == len(entries) and document.is_apart(entry, parent):
            first -= 1  # the line that kept it apart
        return [layout.cut(first, last)]
    if before.strip(" -") or position + 1 == len(entries):
        raise NotSpliceable("it does not begin its line", entry.head)
    following = entries[position + 1].head  # takes its place beside the dash
    if layout.line(following) == last + 1:
        return [Splice(entry.head, following)]
    return [Splice(entry.head - (len(before) - len(before.rstrip())), layout.ends[last])]


def _remove_flow(document: Document, parent: Entry, entry: Entry) -> list[Splice]:
    text, layout, entries = document.text, document.layout, parent.value.entries
    position = entries.index(entry)
    previous = entries[position - 1] if position else None
    comma = _COMMA.match(text, entry.end)
    before = None if comma or previous is None else _COMMA.match(text, previous.end)
    lonely = [Splice(before.end() - 1, before.end())] if before else []
    above = layout.line(document.end_before(entry, parent))
    if not layout.before(entry.head).strip() and _REST.fullmatch(layout.rest(entry.end)):
        first = layout.first_comment(layout.line(entry.head), above)
        return [*lonely, layout.cut(first, layout.line(entry.end))]
    if position + 1 < len(entries):
        following = entries[position + 1].head
        end = comma.end() if comma else entry.end
        if "#" in text[entry.end : following] and layout.line(following) > layout.line(end):
            following = layout.ends[layout.line(end)]
        return [Splice(entry.head, following)]
    ends_line = _REST.fullmatch(layout.rest(entry.end))
    end = layout.ends[layout.line(entry.end)] if ends_line else entry.end
    if previous and "#" not in text[previous.end : entry.head]:
        return [Splice(previous.end, end)]
    if comma and not previous:
        end = max(end, comma.end())
    return [*lonely, Splice(entry.head, end)]
