"""A YAML text as a tree whose parts know from where to where they are written.

PyYAML's own nodes are not enough: they hide aliases, do not say where the dash of an item is, and
let a block collection end where the next thing begins, after all comments between.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

Kind = Literal["scalar", "alias", "mapping", "sequence"]

_COLON = re.compile(r"\s*:")


@dataclass(slots=True)
class Node:
    """A value or a key, written from `start` up to `end` (its anchor included).

    `style` is of a scalar: one of `'`, `"`, `|`, `>`, or empty for a plain one. What is not written
    at all, as the value of `key:`, is an empty plain scalar.
    """

    kind: Kind
    start: int
    end: int
    is_flow: bool = False
    style: str = ""
    text: str = ""
    anchor: str | None = None
    entries: list[Entry] = field(default_factory=list)

    @property
    def is_null(self) -> bool:
        return self.kind == "scalar" and not self.style and self.text in _NULLS

    @property
    def is_block(self) -> bool:
        """Whether it is a collection written on lines of its own, without brackets."""
        return self.kind in ("mapping", "sequence") and not self.is_flow

    def entry(self, name: str | int) -> Entry | None:
        return next((entry for entry in self.entries if entry.name == name), None)

    def walk(self) -> Iterator[Node]:
        """The node and all below it."""
        yield self
        for entry in self.entries:
            yield from entry.value.walk()


_NULLS = ("", "~", "null", "Null", "NULL")


@dataclass(slots=True)
class Entry:
    """A key with its value, an item of a sequence, or the document (neither key nor head).

    `head` is where it begins: at its key, its dash or, in `[…]`, at the item itself. `opening` is
    where the value may begin: after the colon or the dash, if there is one.
    """

    name: str | int
    value: Node
    head: int
    opening: int | None = None
    key: Node | None = None

    @property
    def end(self) -> int:
        """Where its last character stands. The mark of a value that is not written is further."""
        if self.value.start < self.value.end or self.key is None:
            return self.value.end
        return self.key.end if self.opening is None else self.opening


def read_tree(text: str) -> Entry | None:
    """The document in a text that is valid YAML; None if it says nothing at all."""
    return _Reader(text).document()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        tokens: Iterator[Any] = yaml.scan(text, Loader=yaml.CSafeLoader)
        self.dashes = [t.start_mark.index for t in tokens if isinstance(t, yaml.BlockEntryToken)]
        self.events: Iterator[Any] = yaml.parse(text, Loader=yaml.CSafeLoader)

    def document(self) -> Entry | None:
        for event in self.events:
            if isinstance(event, yaml.NodeEvent):
                node = self._node(event)
                return Entry("", node, node.start)
        return None

    def _node(self, event: Any) -> Node:
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, yaml.AliasEvent):
            return Node("alias", start, end, anchor=event.anchor)
        if isinstance(event, yaml.ScalarEvent):
            end = self._end_of_text(start, end) if event.style in ("|", ">") else end
            return Node("scalar", start, end, False, event.style or "", event.value, event.anchor)
        kind: Kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
        return self._filled(Node(kind, start, end, event.flow_style, anchor=event.anchor))

    def _filled(self, node: Node) -> Node:
        while not isinstance(event := next(self.events), yaml.CollectionEndEvent):
            part = self._node(event)
            if node.kind == "mapping":
                node.entries.append(self._pair(part, self._node(next(self.events))))
            else:
                node.entries.append(self._item(len(node.entries), part, is_flow=node.is_flow))
        end: Any = event.end_mark
        node.end = end.index if node.is_flow else node.entries[-1].end
        return node

    def _pair(self, key: Node, value: Node) -> Entry:
        colon = _COLON.match(self.text, key.end)
        return Entry(key.text, value, key.start, colon.end() if colon else None, key)

    def _item(self, index: int, value: Node, *, is_flow: bool) -> Entry:
        if is_flow:
            return Entry(index, value, value.start)
        dash = self.dashes[bisect_left(self.dashes, value.start) - 1]
        return Entry(index, value, dash, dash + 1)

    def _end_of_text(self, start: int, end: int) -> int:
        """Without the line breaks after a block scalar, where these do not count."""
        written = self.text[start:end]
        header = written.splitlines()[0]
        return (
            end
            if "+" in header.split("#")[0]
            else start + len(written.rstrip("\r\n \x85\u2028\u2029"))
        )
