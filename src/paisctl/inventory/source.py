"""YAML text to plain data, remembering where every key and value was written.

Plain scalars follow YAML 1.2's core schema, so `on`, `no` and `22:22` stay text as a person
expects (YAML 1.1, PyYAML's default, makes them booleans and base-60 numbers).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from paisctl.diagnostics import Diagnostics, Mark

Path_ = tuple[str | int, ...]

# https://yaml.org/spec/1.2.2/#103-core-schema
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)")

MAX_BYTES = 8 * 1024 * 1024
MAX_NODES = 200_000
MAX_DEPTH = 40


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
    try:
        raw = path.read_bytes()
    except OSError as error:
        diagnostics.error("unreadable", f"cannot read {path}: {error.strerror}", Mark(str(path), 1))
        return Source()
    if len(raw) > MAX_BYTES:
        message = f"{path} has {len(raw)} bytes; an inventory has at most {MAX_BYTES}"
        diagnostics.error("too-large", message, Mark(str(path), 1))
        return Source()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        diagnostics.error("not-utf-8", f"not UTF-8: {error.reason}", Mark(str(path), line))
        return Source()
    return parse_yaml(text, str(path), diagnostics)


def parse_yaml(text: str, file: str, diagnostics: Diagnostics) -> Source:
    """Parse YAML text; `file` is the name that marks carry."""
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        mark = Mark(file, at.line + 1, at.column + 1) if at else Mark(file, 1)
        start = error.context_mark
        related = (
            [(str(error.context), Mark(file, start.line + 1, start.column + 1))]
            if start and (start.line, start.column) != (mark.line - 1, mark.column - 1)
            else []
        )
        message = f"not valid YAML: {error.problem}"
        diagnostics.error("yaml", message, mark, _yaml_hint(text, mark), related)
        return Source()
    except (yaml.YAMLError, RecursionError) as error:
        position = getattr(error, "position", 0)
        mark = Mark(file, text.count("\n", 0, position) + 1)
        reason = getattr(error, "reason", "it is nested too deeply")
        diagnostics.error("yaml", f"not valid YAML: {reason}", mark)
        return Source()
    builder = _Builder(file, diagnostics)
    if node is not None:
        builder.source.data = builder.build(node, ())
    return builder.source


def _yaml_hint(text: str, mark: Mark) -> str | None:
    lines = text.splitlines()
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "YAML is indented with spaces; this line has a tab"
    return None


class _TooMany(Exception):
    pass


class _Builder:
    """Walk a node graph once. Aliases are expanded, so their number is bounded."""

    def __init__(self, file: str, diagnostics: Diagnostics) -> None:
        self.file = file
        self.diagnostics = diagnostics
        self.source = Source()
        self.nodes = 0

    def build(self, node: yaml.Node, path: Path_) -> Any:
        try:
            return self._value(node, path)
        except _TooMany:
            message = (
                f"more than {MAX_NODES} values or {MAX_DEPTH} levels once aliases are expanded"
            )
            self.diagnostics.error("too-large", message, Mark(self.file, 1))
            return None

    def _value(self, node: yaml.Node, path: Path_) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise _TooMany
        self.source.values[path] = self._mark(node)
        if isinstance(node, yaml.MappingNode):
            return dict(self._items(node, path))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        return [self._value(item, (*path, i)) for i, item in enumerate(node.value)]

    def _items(self, node: yaml.MappingNode, path: Path_) -> Iterator[tuple[str, Any]]:
        seen: dict[str, Mark] = {}
        for key_node, value_node in node.value:
            mark = self._mark(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self.diagnostics.error("bad-key", "a key must be plain text", mark)
                continue
            key = str(key_node.value)
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
            yield key, self._value(value_node, (*path, key))

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text: str = node.value
        if node.style:  # quoted or block: text, whatever it looks like
            return text
        if node.tag.startswith("!"):
            hint = "write `{secret: NAME}` for a secret" if node.tag == "!secret" else None
            message = f"YAML tags such as `{node.tag}` are not used here"
            self.diagnostics.error("yaml-tag", message, self._mark(node), hint)
            return text
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text.lower() == "true"
        if _INT.fullmatch(text) and len(text) < 20:
            return int(text)
        return float(text) if _FLOAT.fullmatch(text) else text

    def _mark(self, node: yaml.Node) -> Mark:
        start, end = node.start_mark, node.end_mark
        width = end.column - start.column if end.line == start.line else 1
        return Mark(self.file, start.line + 1, start.column + 1, max(width, 1))


def merge(base: Source, overlay: Source) -> Source:
    """Lay one source over another: mappings merge key by key, all else is replaced.

    A key whose overlay value is null is removed. Marks point at the file a value came from.
    """
    merged = Source(base.data, dict(base.values), dict(base.keys))
    merged.data = _merge(base.data, overlay.data, (), merged, overlay)
    return merged


def _merge(below: Any, above: Any, path: Path_, into: Source, overlay: Source) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        _replace_marks(path, into, overlay)
        return above
    result = dict(below)
    for key, value in above.items():
        inner = (*path, key)
        if key in below and value is None:
            del result[key]
            _drop_marks(inner, into)
        elif isinstance(below.get(key), dict) and isinstance(value, dict):
            result[key] = _merge(below[key], value, inner, into, overlay)
        else:
            result[key] = value
            _replace_marks(inner, into, overlay)
    return result


def _drop_marks(path: Path_, source: Source) -> None:
    for marks in (source.values, source.keys):
        for known in [known for known in marks if known[: len(path)] == path]:
            del marks[known]


def _replace_marks(path: Path_, into: Source, overlay: Source) -> None:
    _drop_marks(path, into)
    for target, marks in ((into.values, overlay.values), (into.keys, overlay.keys)):
        target.update({p: m for p, m in marks.items() if p[: len(path)] == path})
