"""YAML documents as people write them: each line with the path of what it belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.properties.strategies import as_yaml

Path_ = tuple[str | int, ...]
KEYS = ["a", "role", "two words", "é🔑", "on", "x-y", "7"]
_PLAIN = ["x", "two words", "é漢🔑", "a:b", "http://x/#y", "it's", "v1.2.3", "no", "&amp"[1:]]
scalars = st.sampled_from([None, True, 7, 1.5, "", "# no comment", "a: b", "'", '"', *_PLAIN])
data = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=12,
)
documents_data = st.dictionaries(st.sampled_from(KEYS), data, min_size=1, max_size=4)


@dataclass
class Written:
    """A document under construction. A line's path is None when it belongs to nothing."""

    draw: Any
    lines: list[tuple[Path_ | None, str]] = field(default_factory=list)
    comments: int = 0

    def chance(self, one_in: int = 4) -> bool:
        return bool(self.draw(st.integers(1, one_in)) == 1)

    def comment(self) -> str:
        self.comments += 1
        return f"# {self.comments} - é: [x"

    def trailing(self) -> str:
        return " " * self.draw(st.integers(1, 3)) + self.comment() if self.chance() else ""

    def above(self, path: Path_, indent: int) -> None:
        """Blank lines and comments above an entry; those directly above it are its own."""
        if self.chance():
            if self.chance():
                self.lines.append((path[:-1], " " * indent + self.comment()))
            self.lines.append((None, self.draw(st.sampled_from(["", "  "]))))
        # What a document begins with is about the whole of it.
        is_heading = not [line for owner, line in self.lines if owner]
        if self.chance() and not is_heading:
            self.lines.append((path, " " * indent + self.comment()))

    def below(self, path: Path_, indent: int) -> None:
        if self.chance(6):
            self.lines.append((path, " " * (indent + 1) + self.comment()))

    def scalar(self, value: Any) -> str:
        if not isinstance(value, str):
            return json.dumps(value)
        styles = ['"', *("'" for _ in range(value.isprintable()))]
        style = self.draw(st.sampled_from([*styles, *("" for _ in range(value in _PLAIN))]))
        if style == "'":
            return "'" + value.replace("'", "''") + "'"
        return as_yaml(value) if style else value

    def flow(self, value: Any) -> str:
        gap: str = self.draw(st.sampled_from(["", " "]))
        comma: str = self.draw(st.sampled_from([", ", " , ", ",  "]))
        if isinstance(value, dict):
            pairs = (f"{self.scalar(k)}: {self.flow(v)}" for k, v in value.items())
            return "{" + gap + comma.join(pairs) + gap + "}"
        if isinstance(value, list):
            return "[" + gap + comma.join(self.flow(item) for item in value) + gap + "]"
        return self.scalar(value)

    def key(self, name: str) -> str:
        colon: str = self.draw(st.sampled_from([":", ":", " :"]))
        return (name if name not in ("7", "on") else f'"{name}"') + colon

    def mapping(self, value: dict[str, Any], path: Path_, indent: int, start: str = "") -> None:
        """The entries of a block mapping; the first line begins with `start` if that is given."""
        for name, inner in value.items():
            here = (*path, name)
            if not start:
                self.above(here, indent)
            self.value(inner, here, indent, (start or " " * indent) + self.key(name), is_key=True)
            start = ""

    def sequence(self, value: list[Any], path: Path_, indent: int, start: str = "") -> None:
        for index, inner in enumerate(value):
            here = (*path, index)
            if not start:
                self.above(here, indent)
            self.value(inner, here, indent, (start or " " * indent) + "-", is_key=False)
            start = ""

    def value(self, value: Any, path: Path_, indent: int, start: str, *, is_key: bool) -> None:
        """A value after its key or dash, which is what `start` ends with."""
        is_collection = isinstance(value, (dict, list)) and bool(value)
        if not is_collection or self.chance():
            self.inline(value, path, indent, start)
            return
        is_list = isinstance(value, list)
        block: Any = self.sequence if is_list else self.mapping
        if not is_key and self.chance(2):
            gap = self.draw(st.integers(1, 3))
            block(value, path, indent + 1 + gap, start + " " * gap)
            return
        self.lines.append((path, start + self.trailing()))
        block(value, path, indent + self.draw(st.integers(0 if is_key and is_list else 1, 4)))
        # Nothing more: a comment here might be of the last entry.

    def inline(self, value: Any, path: Path_, indent: int, start: str) -> None:
        gap = " " * self.draw(st.sampled_from([1, 1, 3]))
        if value is None and self.chance(2):
            self.lines.append((path, start + self.trailing()))
        elif isinstance(value, str) and value.isprintable() and value and self.chance():
            self.lines.append((path, f"{start}{gap}|-"))
            self.lines.append((path, f"{' ' * (indent + 2)}{value}"))
            return
        elif isinstance(value, (dict, list)) and value and self.chance(2):
            self.many_lines(value, path, indent, start + gap)
        else:
            self.lines.append((path, start + gap + self.flow(value) + self.trailing()))
        self.below(path, indent)

    def many_lines(self, value: Any, path: Path_, indent: int, start: str) -> None:
        """A flow collection whose entries stand on lines of their own."""
        brackets = "{}" if isinstance(value, dict) else "[]"
        self.lines.append((path, start + brackets[0] + self.trailing()))
        entries = list(value.items() if isinstance(value, dict) else enumerate(value))
        last_comma = self.draw(st.sampled_from(["", ","]))
        for number, (name, inner) in enumerate(entries, 1):
            here, space = (*path, name), " " * (indent + 2)
            if self.chance():
                self.lines.append((here, space + self.comment()))
            key = f"{self.scalar(name)}: " if isinstance(value, dict) else ""
            comma = "," if number < len(entries) else last_comma
            self.lines.append((here, space + key + self.flow(inner) + comma + self.trailing()))
        self.lines.append((path, " " * (indent + 1) + brackets[1] + self.trailing()))


@dataclass(frozen=True)
class Document:
    """A text, what it says, and the path of what each of its lines belongs to."""

    text: str
    data: Any
    lines: list[tuple[Path_ | None, str]]

    def lines_but_of(self, *paths: Path_) -> list[str]:
        """The lines that belong to nothing at or below any of some paths; no blank ones."""
        return [
            line
            for owner, line in self.lines
            if line.strip() and not any(owner and owner[: len(p)] == p for p in paths)
        ]


@st.composite
def documents(draw: Any) -> Document:
    value = draw(documents_data)
    written = Written(draw)
    if written.chance():
        written.lines.append((None, "# heading"))
    if written.chance():
        written.lines.append((None, "---"))
    written.mapping(value, (), 0)
    line_break = draw(st.sampled_from(["\n", "\r\n"]))
    text = line_break.join(line for _, line in written.lines)
    end = draw(st.sampled_from(["", line_break, line_break, line_break * 2]))
    return Document(text + end, value, written.lines)


def paths_in(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """All paths of values below the outermost."""
    entries: Any = value.items() if isinstance(value, dict) else ()
    for name, inner in enumerate(value) if isinstance(value, list) else entries:
        yield (*path, name)
        yield from paths_in(inner, (*path, name))
