"""YAML text to plain data, remembering where every key and value was written.

Plain scalars follow YAML 1.2's core schema, so `on`, `no` and `22:22` stay text as a person
expects (YAML 1.1, PyYAML's default, makes them booleans and base-60 numbers).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from paisctl.diagnostics import Diagnostics, Mark
from paisctl.inventory.inspection import (
    MAX_DEPTH,
    MAX_NODES,
    Refused,
    inspect_text,
    mark_of,
    too_deep,
    too_many,
)
from paisctl.inventory.text import read_text

Path_ = tuple[str | int, ...]

# https://yaml.org/spec/1.2.2/#103-core-schema
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)")
# Neither a process nor a file's name can hold NUL; the others enclose the names of secrets.
_UNUSABLE = re.compile("[\0\ue000\ue001]")


@dataclass(slots=True)
class Source:
    """Plain data plus the mark of each value and of each mapping key, by path."""

    data: Any = None
    values: dict[Path_, Mark] = field(default_factory=dict)
    keys: dict[Path_, Mark] = field(default_factory=dict)

    def mark(self, path: Path_) -> Mark | None:
        """Where the value at `path` was written, or the nearest thing above it that was."""
        while path:
            if path in self.values:
                return self.values[path]
            path = path[:-1]
        return self.values.get(())

    def key_mark(self, path: Path_) -> Mark | None:
        """Where the key at the end of `path` was written, or what `mark` finds."""
        return self.keys.get(path) or self.mark(path)


def read_yaml(path: Path, diagnostics: Diagnostics) -> Source:
    """Read one YAML file.

    A file that cannot be read or parsed yields an empty source and a diagnostic.
    """
    text = read_text(path, diagnostics)
    return Source() if text is None else parse_yaml(text, str(path), diagnostics)


def parse_yaml(
    text: str, file: str, diagnostics: Diagnostics, *, may_hold_tokens: bool = False
) -> Source:
    """Parse YAML text.

    Args:
        text: one YAML document.
        file: the name that marks carry.
        diagnostics: told of everything that cannot be used.
        may_hold_tokens: whether it was rendered, so that it may refer to secrets.
    """
    try:
        inspect_text(text, file, diagnostics)
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        builder = _Builder(file, diagnostics, may_hold_tokens=may_hold_tokens)
        if node is not None:
            builder.source.data = builder.value(node, ())
    except Refused as refused:
        diagnostics.error(refused.code, refused.message, refused.mark, refused.hint)
    except yaml.MarkedYAMLError as error:
        _report(error, text, file, diagnostics)
    except yaml.YAMLError as error:
        mark = Mark(file, text.count("\n", 0, getattr(error, "position", 0)) + 1)
        reason = getattr(error, "reason", "it cannot be read")
        diagnostics.error("yaml", f"not valid YAML: {reason}", mark)
    else:
        return builder.source
    return Source()


def _report(error: yaml.MarkedYAMLError, text: str, file: str, diagnostics: Diagnostics) -> None:
    at, start = error.problem_mark or error.context_mark, error.context_mark
    mark = Mark(file, at.line + 1, at.column + 1) if at else Mark(file, 1)
    related = (
        [(str(error.context), Mark(file, start.line + 1, start.column + 1))]
        if start and (start.line, start.column) != (mark.line - 1, mark.column - 1)
        else []
    )
    message = f"not valid YAML: {error.problem}"
    diagnostics.error("yaml", message, mark, _yaml_hint(text, mark), related)


def _yaml_hint(text: str, mark: Mark) -> str | None:
    lines = text.splitlines()
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "YAML is indented with spaces; this line has a tab"
    return None


class _Builder:
    """Walk a node graph once. Aliases are expanded, so their number is bounded."""

    def __init__(self, file: str, diagnostics: Diagnostics, *, may_hold_tokens: bool) -> None:
        self.file = file
        self.diagnostics = diagnostics
        self.may_hold_tokens = may_hold_tokens
        self.source = Source()
        self.nodes = 0

    def value(self, node: yaml.Node, path: Path_) -> Any:
        mark = self._count(node, path)
        if len(path) > MAX_DEPTH:
            raise too_deep(mark)
        self.source.values[path] = mark
        if isinstance(node, yaml.MappingNode):
            return dict(self._items(node, path))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, mark)
        return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]

    def _count(self, node: yaml.Node, path: Path_) -> Mark:
        mark = mark_of(node, self.file)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise too_many(self.source.keys.get(path[:1], mark))
        return mark

    def _items(self, node: yaml.MappingNode, path: Path_) -> Iterator[tuple[str, Any]]:
        seen: dict[str, Mark] = {}
        for key_node, value_node in node.value:
            mark = self._count(key_node, path)
            if not isinstance(key_node, yaml.ScalarNode):
                self.diagnostics.error("bad-key", "a key must be plain text", mark)
                continue
            key = self._usable(key_node.value, mark)
            if key == "<<" and not key_node.style:
                hint = "what several devices share goes under `defaults`, `kinds` or `stacks`"
                self.diagnostics.error("merge-key", "YAML merge keys are not used here", mark, hint)
                continue
            if key in seen:
                self.diagnostics.error(
                    "duplicate-key",
                    f"`{key}` is written twice in the same mapping",
                    mark,
                    "YAML keeps only one of them; merge the two",
                    [("first written here", seen[key])],
                )
                continue
            seen[key] = mark
            self.source.keys[(*path, key)] = mark
            yield key, self.value(value_node, (*path, key))

    def _scalar(self, node: yaml.ScalarNode, mark: Mark) -> Any:
        text = self._usable(node.value, mark)
        if node.style:  # quoted or block: text, whatever it looks like
            return text
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text.lower() == "true"
        if _INT.fullmatch(text) and len(text) < 20:
            return int(text)
        # What is too large for a number stays text, as `.inf` does.
        number = float(text) if _FLOAT.fullmatch(text) else math.inf
        return number if math.isfinite(number) else text

    def _usable(self, text: str, mark: Mark) -> str:
        found = None if self.may_hold_tokens else _UNUSABLE.search(text)
        if not found:
            return text
        message = f"the character U+{ord(found[0]):04X} cannot be used in a text"
        self.diagnostics.error("bad-character", message, mark)
        return _UNUSABLE.sub("\ufffd", text)


def merge(base: Source, overlay: Source) -> Source:
    """Lay one source over another: mappings merge key by key, all else is replaced.

    A key whose overlay value is null is removed. Marks point at the file a value came from.
    """
    replaced: set[Path_] = set()
    removed: set[Path_] = set()
    data = _merge(base.data, overlay.data, (), replaced, removed)
    gone = replaced | removed
    values = {p: m for p, m in base.values.items() if not _within(p, gone)}
    keys = {p: m for p, m in base.keys.items() if not _within(p, gone)}
    values |= {p: m for p, m in overlay.values.items() if _within(p, replaced)}
    keys |= {p: m for p, m in overlay.keys.items() if _within(p, replaced)}
    return Source(data, values, keys)


def _merge(below: Any, above: Any, path: Path_, replaced: set[Path_], removed: set[Path_]) -> Any:
    """The merged data; notes the paths at which the overlay's say counts alone."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        replaced.add(path)
        return above
    result = dict(below)
    for key, value in above.items():
        inner = (*path, key)
        if key in below and value is None:
            del result[key]
            removed.add(inner)
        else:
            result[key] = _merge(below.get(key), value, inner, replaced, removed)
    return result


def _within(path: Path_, roots: AbstractSet[Path_]) -> bool:
    """Whether a path is one of some others, or lies below one."""
    return any(path[:length] in roots for length in range(len(path) + 1)) if roots else False
