"""A look at YAML as a stream of events, before any of it is built.

PyYAML's composer recurses without a limit and ends the process where the stack does: depth and
size are bounded here.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from paisctl.diagnostics import Diagnostics, Mark

MAX_NODES = 50_000  # keys and values, with each alias counted as what it stands for
MAX_DEPTH = 40
_MAX_DIRECTIVES = 100  # libyaml compares each `%TAG` with all before it


class Refused(Exception):
    """A text of which nothing is used."""

    def __init__(self, code: str, message: str, mark: Mark, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.mark, self.hint = code, message, mark, hint


def inspect_text(text: str, file: str, diagnostics: Diagnostics) -> None:
    """Refuse what is too large or nests too deeply to be built; report explicit tags."""
    if text.count("\n%") > _MAX_DIRECTIVES:
        message = f"more than {_MAX_DIRECTIVES} lines begin with `%`"
        raise Refused("too-large", message, Mark(file, 1))
    nodes = documents = 0
    around: list[str | None] = []  # the anchors of the collections that are open
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        mark = mark_of(event, file)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                hint = "write one file per document, and name each with -i"
                raise Refused("yaml", "a second document begins here", mark, hint)
        if isinstance(event, yaml.CollectionEndEvent):
            around.pop()
        if not isinstance(event, yaml.NodeEvent):
            continue
        nodes += 1
        if nodes > MAX_NODES:
            raise too_many(mark)
        if isinstance(event, yaml.AliasEvent) and event.anchor in around:
            message = f"the alias `*{event.anchor}` is within what it stands for"
            raise Refused("yaml", message, mark)
        tag = getattr(event, "tag", None)
        if tag:
            _report_tag(tag, mark, diagnostics)
        if isinstance(event, yaml.CollectionStartEvent):
            around.append(event.anchor)
            if len(around) > MAX_DEPTH:
                raise too_deep(mark)


def _report_tag(tag: str, mark: Mark, diagnostics: Diagnostics) -> None:
    short = re.sub("^tag:yaml.org,2002:", "!!", tag)
    message = f"YAML tags such as `{short}` are not used here"
    hints = {
        "!secret": "write `{secret: NAME}` for a secret",
        "!!str": "put the text in quotes",
    }
    diagnostics.error("yaml-tag", message, mark, hints.get(short))


def too_many(mark: Mark) -> Refused:
    message = f"more than {MAX_NODES:,} keys and values once aliases are expanded"
    return Refused("too-large", message, mark)


def too_deep(mark: Mark) -> Refused:
    return Refused("too-large", f"nested deeper than {MAX_DEPTH} levels", mark)


def mark_of(part: yaml.Node | yaml.Event, file: str) -> Mark:
    start: Any = part.start_mark
    end: Any = part.end_mark
    width = end.column - start.column if end.line == start.line else 1
    return Mark(file, start.line + 1, start.column + 1, max(width, 1))
