"""Policies as text, which is HuJSON: JSON with comments and trailing commas.

What we write says so itself: a comment at its top, the stamp, names the digest of the policy. As
long as text and stamp agree, nobody has changed it since. The control plane keeps comments when it
is asked for HuJSON [Tailscale API, GET /tailnet/{tailnet}/acl].
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from paisctl.errors import BadPolicy
from paisctl.policy import hujson
from paisctl.policy.document import Policy, digest, document
from paisctl.policy.parsing import Malformed, parsed

_STAMP = re.compile(r"//\s*paisctl: ([0-9a-f]{64})")
_WIDTH = 100


def read(text: str) -> Policy:
    """The policy that HuJSON text holds.

    Raises:
        BadPolicy: it holds none; says where, by line and column if the text is no HuJSON.
    """
    if not text.strip():
        raise BadPolicy("the policy is empty")
    try:
        return parsed(hujson.loads(text))
    except Malformed as error:
        raise BadPolicy(f"this is no policy: {error}") from None
    except ValueError as error:
        raise BadPolicy(f"the policy cannot be read: {error}") from None
    except RecursionError:
        raise BadPolicy("the policy cannot be read: it is nested too deeply") from None


def write(
    policy: Policy,
    heading: Sequence[str] = (),
    comments: Mapping[tuple[str, int], str] | None = None,
    *,
    stamp: bool = True,
) -> str:
    """The policy as text that people can read, one rule under the other.

    Args:
        policy: what to write.
        heading: lines to stand at the top, as comments.
        comments: by section and index, as `("grants", 3)`: what to say above that item.
        stamp: whether to add the stamp; without one, a heading and comments it is plain JSON.
    """
    top = [*heading, f"paisctl: {digest(policy)}"] if stamp else heading
    return "\n".join([*_commented(top), *_sections(document(policy), comments or {}), ""])


def stamp_of(text: str) -> str | None:
    """The digest that the stamp at the top of a text names, if it has one."""
    found = None
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith("//"):
            break
        match = _STAMP.fullmatch(line)
        found = match[1] if match else found
    return found


def _sections(data: dict[str, Any], comments: Mapping[tuple[str, int], str]) -> Iterator[str]:
    yield "{"
    for place, (name, value) in enumerate(data.items()):
        end = "," if place < len(data) - 1 else ""
        opening, closing = ("[", "]") if isinstance(value, list) else ("{", "}")
        if not value or not isinstance(value, (list, dict)):
            yield f"  {_inline(name)}: {_inline(value)}{end}"
            continue
        yield f"  {_inline(name)}: {opening}"
        items = list(value.items()) if isinstance(value, dict) else [(None, v) for v in value]
        for i, (key, item) in enumerate(items):
            yield from _commented([comments.get((name, i), "")], "    ")
            label = "" if key is None else f"{_inline(key)}: "
            yield f"    {label}{_block(item, 4, len(label))}{',' if i < len(items) - 1 else ''}"
        yield f"  {closing}{end}"
    yield "}"


def _block(value: Any, indent: int, used: int) -> str:
    """A value in one line if it fits, else its parts in lines of their own."""
    line = _inline(value)
    if indent + used + len(line) < _WIDTH or not isinstance(value, (list, dict)) or not value:
        return line
    inner = indent + 2
    if isinstance(value, list):
        parts = [_block(item, inner, 0) for item in value]
    else:
        labels = {name: f"{_inline(name)}: " for name in value}
        parts = [labels[k] + _block(item, inner, len(labels[k])) for k, item in value.items()]
    opening, closing = ("[", "]") if isinstance(value, list) else ("{", "}")
    body = ",\n".join(" " * inner + part for part in parts)
    return f"{opening}\n{body}\n{' ' * indent}{closing}"


def _inline(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _commented(texts: Sequence[str], indent: str = "") -> list[str]:
    """Each line of the texts as a comment; whatever ends a line anywhere ends one here."""
    return [f"{indent}// {line}".rstrip() for text in texts for line in text.splitlines()]
