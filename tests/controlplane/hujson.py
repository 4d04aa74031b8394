"""HuJSON: JSON with `//` and `/* */` comments and trailing commas, and nothing beyond that.

It is made standard JSON by blanking what JSON does not know, which keeps every position
(https://github.com/tailscale/hujson, "Standardize"). On purpose not a JSON5 parser: single
quotes, bare keys or hexadecimal numbers are refused, as the control plane does.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/|[^\S]+|.', re.DOTALL)


class SyntaxProblem(Exception):
    """The text is no HuJSON. The message begins with `line N, column M:`."""


@dataclass(frozen=True, slots=True)
class Document:
    """A policy file: its text and what it says."""

    text: str
    value: Json

    def line(self, section: str, index: int) -> int:
        """The line, from 1, where an element of a top-level list begins (0: there is none)."""
        starts = _element_starts(standard(self.text), section)
        return self.text.count("\n", 0, starts[index]) + 1 if index < len(starts) else 0


def parse(text: str) -> Document:
    """Read a policy file.

    Raises:
        SyntaxProblem: it is no HuJSON, or no object.
    """
    try:
        value = json.loads(standard(text), parse_constant=_no_constant)
    except json.JSONDecodeError as problem:
        raise SyntaxProblem(
            f"line {problem.lineno}, column {problem.colno}: {problem.msg}"
        ) from None
    if not isinstance(value, dict):
        raise SyntaxProblem("line 1, column 1: the policy must be an object")
    return Document(text, value)


def standard(text: str) -> str:
    """The same as plain JSON, of the same length: comments and trailing commas are blanks."""
    out = list(text)
    previous, comma, before_comma = "", -1, ""
    for token in TOKEN.finditer(text):
        kind = token.group()
        if kind.startswith(("//", "/*")) and len(kind) > 1:
            for at in range(token.start(), token.end()):
                out[at] = out[at] if out[at] == "\n" else " "
        elif not kind.isspace():
            if kind in "]}" and previous == "," and before_comma not in "[{,":
                out[comma] = " "
            if kind == ",":
                comma, before_comma = token.start(), previous
            previous = kind
    return "".join(out)


def _element_starts(text: str, section: str) -> list[int]:
    """Where the elements of a top-level list begin."""
    starts: list[int] = []
    depth, key, last, inside = 0, "", "", False
    for token in TOKEN.finditer(text):
        kind = token.group()
        if kind.isspace():
            continue
        if inside and depth == 2 and (last in "[," and kind != "]"):
            starts.append(token.start())
        if depth == 1 and kind == ":":
            key = json.loads(last)
        if kind in "[{":
            depth += 1
            inside = inside or (depth == 2 and kind == "[" and key == section)
        elif kind in "]}":
            depth -= 1
            inside = inside and depth >= 2
        last = kind
    return starts


def _no_constant(name: str) -> None:
    """Python reads NaN and Infinity; JSON has no such thing."""
    raise SyntaxProblem(f"line 1, column 1: invalid literal {name}")
