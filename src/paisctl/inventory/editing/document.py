"""A document to be edited: its tree, its lines, and what in it must not be touched."""

from __future__ import annotations

from paisctl.inventory.editing.layout import Layout
from paisctl.inventory.editing.tree import Entry, read_tree
from paisctl.inventory.source import Path_


class NotSpliceable(Exception):
    """A place that cannot be edited without rewriting what is around it.

    Args:
        reason: why, a whole sentence without a full stop.
        at: the offset of the place.
    """

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason, self.at = reason, at


class Document:
    """The text of a valid YAML document with what stands where. `root` is None when empty."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.layout = Layout(text)
        self.root = read_tree(text)
        nodes = list(self.root.value.walk()) if self.root else []
        self.aliased = {node.anchor for node in nodes if node.kind == "alias"}
        # How much further than its key a sequence is indented here.
        self.step = next(
            (
                self.layout.column(inner.value.start) - self.layout.column(inner.head)
                for node in nodes
                for inner in node.entries
                if node.is_block and inner.key and inner.value.is_block
                if inner.value.kind == "sequence" and not inner.value.anchor
            ),
            2,
        )

    def trail(self, path: Path_) -> list[Entry]:
        """The document and all entries down to `path`, as far as they are written.

        Raises:
            NotSpliceable: the path leads through something that is written once and used twice.
        """
        trail = [self.root] if self.root else []
        for name in path if trail else ():
            self.refuse_shared(trail[-1])
            entry = trail[-1].value.entry(name)
            if entry is None:
                break
            trail.append(entry)
        return trail

    def refuse_used(self, entry: Entry) -> None:
        """Raise NotSpliceable when something in a value is used elsewhere, so it cannot go."""
        for node in entry.value.walk():
            if node.kind != "alias" and node.anchor in self.aliased:
                raise NotSpliceable(f"`*{node.anchor}` stands for it elsewhere", node.start)

    def refuse_shared(self, entry: Entry) -> None:
        """Raise NotSpliceable when what is changed in a value would change elsewhere, too."""
        node = entry.value
        if node.kind == "alias":
            raise NotSpliceable(f"its value is the alias `*{node.anchor}`", node.start)
        if node.anchor in self.aliased:
            raise NotSpliceable(f"`*{node.anchor}` stands for it elsewhere", node.start)

    def lines_of(self, entry: Entry, parent: Entry) -> tuple[int, int]:
        """The first and the last line of an entry of a block, with the comments that are its own.

        Those are directly above it, or below it and indented deeper. What the document begins with
        is about the whole of it.
        """
        layout = self.layout
        head, column = layout.line(entry.head), layout.column(entry.head)
        first = layout.first_comment(head, layout.line(self.end_before(entry, parent)), column)
        is_heading = parent is self.root and entry is parent.value.entries[0]
        if is_heading and not (first and layout.is_blank(first - 1)):
            first = head
        return first, layout.last_comment(layout.line(entry.end), column + 1)

    def is_apart(self, entry: Entry, parent: Entry) -> bool:
        """Whether a blank line stands above an entry of a block and its comments."""
        first = self.lines_of(entry, parent)[0]
        return first > 0 and self.layout.is_blank(first - 1)

    def end_before(self, entry: Entry, parent: Entry) -> int:
        """Where that ends what is written before an entry: its neighbour, or what opens both."""
        entries = parent.value.entries
        position = entries.index(entry)
        if position:
            return entries[position - 1].end
        if parent.value.is_flow:
            return parent.value.start
        return -1 if parent.opening is None else parent.opening
