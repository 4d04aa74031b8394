"""Plain data to YAML, written as what stands beside it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import yaml
from yaml.resolver import Resolver

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.editing.tree import Node
from paisctl.inventory.source import parse_yaml

# Safe as they are, between brackets, too. A comma or a `#` may be: quotes do no harm.
_PLAIN = re.compile(r"[\w./][\w ./@+~%()$=;*:-]*")
_NOT_PLAIN = re.compile(r":( |$)| $")
_ESCAPED = re.compile("[\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_RESOLVER = Resolver()


def scalar(value: Any, style: str = "") -> str:
    """A scalar on one line; a text in the quotes of `style`, unless it cannot be written so."""
    if not isinstance(value, str):
        return json.dumps(value)
    if style == "'" and value.isprintable() and not _ESCAPED.search(value):
        return "'" + value.replace("'", "''") + "'"
    if style == '"' or not _is_plain(value):
        text = json.dumps(value, ensure_ascii=False)
        return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return value


def _is_plain(value: str) -> bool:
    """Whether a text needs no quotes: neither YAML 1.2 nor 1.1 takes it for something else."""
    if not _PLAIN.fullmatch(value) or _NOT_PLAIN.search(value) or not value.isprintable():
        return False
    resolve: Callable[..., str] = _RESOLVER.resolve
    tag = resolve(yaml.ScalarNode, value, (True, False))
    if tag != "tag:yaml.org,2002:str":
        return False
    return bool(parse_yaml(value, "", Diagnostics()).data == value)


def flow(value: Any, like: Node | None = None) -> str:
    """Any value on one line, quoted like a neighbour."""
    if isinstance(value, dict):
        pairs = (pair(name, inner, like) for name, inner in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, (list, tuple)):
        first = like.entries[0].value if like and like.entries else like
        return "[" + ", ".join(flow(item, first) for item in value) + "]"
    return scalar(value, like.style if like else "")


def pair(name: str, value: Any, like: Node | None = None) -> str:
    """`key: value` on one line, as it would be written in the mapping `like`.

    Where all keys are in quotes, as in JSON, all texts are.
    """
    known = like.entry(name) if like else None
    keys = [entry.key for entry in like.entries if entry.key] if like else []
    # Of keys, the one in the fewest quotes; below a new key, there is nothing else to go by.
    model = min(keys, key=lambda key: len(key.style)) if keys else like
    written = scalar(name, model.style if model else "")
    return f"{written}: {flow(value, known.value if known else model)}"


def item_lines(value: Any, column: int, gap: int, like: Node | None) -> list[str]:
    """An item of a sequence whose dashes stand at `column`, each `gap` before its content."""
    dash = " " * column + "-".ljust(gap)
    if not (isinstance(value, dict) and value) or (like and like.is_flow):
        return [dash + flow(value, like)]
    lines = [pair(name, inner, like) for name, inner in value.items()]
    return [dash + lines[0], *(" " * (column + gap) + line for line in lines[1:])]


def entry_lines(name: str, value: Any, column: int, step: int, like: Node | None) -> list[str]:
    """A key and its value for a block mapping: on one line, unless the value lists mappings.

    `step` is how much further than its key a sequence is indented.
    """
    start = " " * column
    if not _lists_mappings(value):
        return [start + pair(name, value, like)]
    lines = [start + pair(name, None, like).removesuffix(" null")]
    if isinstance(value, dict):
        inner = column + (step or 2)
        parts = (entry_lines(key, part, inner, step, None) for key, part in value.items())
    else:
        parts = (item_lines(part, column + step, 2, None) for part in value)
    return [*lines, *(line for part in parts for line in part)]


def _lists_mappings(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_lists_mappings(part) for part in value.values())
    return isinstance(value, (list, tuple)) and any(isinstance(part, dict) for part in value)
