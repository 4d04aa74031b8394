"""HuJSON: JSON with `//` and `/* */` comments and trailing commas [github.com/tailscale/hujson].

The surplus is blanked out and the rest left to `json`, so that errors have their places. (A JSON5
parser would take more than a control plane does, and takes seconds for a large policy.)
"""

from __future__ import annotations

import json
import re
from typing import Any

_STRING = r'"(?:[^"\\\n]|\\.)*"'
_COMMENTS = re.compile(rf"{_STRING}|(?P<surplus>//[^\n]*|/\*.*?\*/)", re.DOTALL)
_COMMAS = re.compile(rf"{_STRING}|[\[{{]\s*,|(?P<surplus>,)(?=\s*[\]}}])")  # not after `[` or `{`
_INK = re.compile(r"[^\n]")


def loads(text: str) -> Any:
    """The value of HuJSON text.

    Raises:
        ValueError: it has none; says where, by line and column.
        RecursionError: it is nested too deeply.
    """
    plain = _COMMAS.sub(_blanked, uncommented(text))
    try:
        return json.loads(plain, parse_constant=_refused, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:]
        raise ValueError(f"line {error.lineno}, column {error.colno}: {what}") from None


def uncommented(text: str) -> str:
    """The text with blanks for comments: all else stays at its place."""
    return _COMMENTS.sub(_blanked, text)


def _blanked(match: re.Match[str]) -> str:
    return match[0] if match["surplus"] is None else _INK.sub(" ", match[0])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'"{twice}" is there twice in one object')
    return found


def _refused(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")
