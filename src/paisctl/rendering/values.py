"""The values of a stack's settings, from what YAML says to what a template sees."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from paisctl.diagnostics import did_you_mean
from paisctl.inventory.types import parse_duration, parse_port, parse_size
from paisctl.rendering.bundle import Variable
from paisctl.secrets import token


def coerce(variable: Variable, value: Any, secrets: Collection[str]) -> Any:
    """A variable's value as its template sees it.

    Sizes become numbers that print in Compose's units, secrets their tokens, also those within lists
    and mappings; all else stays.

    Raises:
        ValueError: it is not of the variable's type, or names an unknown secret.
    """
    kind = variable.type
    if kind == "secret":
        return _secret(value, secrets)
    if kind == "size":
        return SizeText(parse_size(value))
    if kind == "duration":
        parse_duration(value)
        return value
    if kind == "port":
        return parse_port(value)
    expected = {"text": str, "integer": int, "boolean": bool, "list": list, "mapping": dict}[kind]
    if not isinstance(value, expected) or (kind == "integer" and isinstance(value, bool)):
        raise ValueError(f"must be {_WORDS[kind]}, not `{value}`")
    return _with_tokens(value, secrets) if kind in ("list", "mapping") else value


def _with_tokens(value: Any, secrets: Collection[str]) -> Any:
    """A list or mapping with each `{secret: NAME}` in it replaced by its token."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    resolved = {key: _with_token(item, secrets) for key, item in items}
    return resolved if isinstance(value, dict) else [*resolved.values()]


def _with_token(item: Any, secrets: Collection[str]) -> Any:
    if isinstance(item, dict) and item.keys() == {"secret"}:
        return _secret(item, secrets)
    return _with_tokens(item, secrets) if isinstance(item, dict | list) else item


_WORDS = {
    "text": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "list": "a list",
    "mapping": "a mapping",
}


class SizeText(int):
    """A number of bytes that Compose and people can both read: `36g`."""

    def __str__(self) -> str:
        for power, unit in ((3, "g"), (2, "m"), (1, "k")):
            if self % 1024**power == 0:
                return f"{self // 1024**power}{unit}"
        return f"{int(self)}b"


def _secret(value: Any, known: Collection[str]) -> str:
    name = value.get("secret") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(name, str):
        raise ValueError("is a secret; write `{secret: NAME}`, never the secret itself")  # noqa: TRY004 - a wrong value in YAML
    if name not in known:
        hint = did_you_mean(name, known, "secrets")
        raise ValueError(f"unknown secret `{name}`; {hint}")
    return token(name)
