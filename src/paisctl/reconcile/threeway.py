"""Three-way comparison: what is wanted, what is live, what was last applied. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paisctl.inventory.types import format_size
from paisctl.plan import Cause
from paisctl.resources.compose import OPTIONAL, Fields

NOT_SET = "(not set)"
_MISSING = object()

# What 0 means in these.
_LIMITS = (
    "memory limit",
    "memory reservation",
    "process limit",
    "processor limit",
    "processor shares",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not as wanted. `before` and `after` are for people."""

    field: str
    cause: Cause
    before: str
    after: str


def differences(wanted: Fields, live: Fields, applied: Fields | None) -> list[Difference]:
    """Compare the fields of one service.

    Args:
        wanted: as rendered now.
        live: as the container shows them.
        applied: as they were rendered when last applied; None when never.
    """
    names = [n for n in dict.fromkeys([*wanted, *live]) if n in wanted or n not in OPTIONAL]
    result = []
    for name in names:
        want, have = wanted.get(name, _MISSING), live.get(name, _MISSING)
        if want != have:
            before, after = _words(name, have, want)
            was = _MISSING if applied is None else applied.get(name, _MISSING)
            result.append(Difference(name, cause_of(want, have, was), before, after))
    return result


def changed_definition(wanted: Mapping[str, Any], applied: Mapping[str, Any]) -> list[Difference]:
    """Compare two rendered definitions, for the keys that a container does not show."""
    return [
        Difference(
            key, Cause.PENDING, *_words(key, applied.get(key, _MISSING), wanted.get(key, _MISSING))
        )
        for key in sorted({*wanted, *applied})
        if wanted.get(key) != applied.get(key)
    ]


def cause_of(wanted: object, live: object, applied: object) -> Cause:
    """Who moved: the inventory, the host, or both since the last apply."""
    if wanted == applied:
        return Cause.DRIFT
    return Cause.PENDING if live == applied or applied is _MISSING else Cause.BOTH


def _words(name: str, have: Any, want: Any) -> tuple[str, str]:
    if name == "image" and isinstance(have, str) and isinstance(want, str):
        return _images(have, want)
    if isinstance(have, list) and isinstance(want, list):
        if sorted(map(str, have)) == sorted(map(str, want)) or name in ("command", "entrypoint"):
            return " ".join(map(str, have)), " ".join(map(str, want))
        return (
            ", ".join(str(item) for item in have if item not in want) or NOT_SET,
            ", ".join(str(item) for item in want if item not in have) or NOT_SET,
        )
    if isinstance(have, dict) and isinstance(want, dict):
        keys = [key for key in sorted({*have, *want}) if have.get(key) != want.get(key)]
        return _pairs(have, keys), _pairs(want, keys)
    return _text(name, have), _text(name, want)


def _images(have: str, want: str) -> tuple[str, str]:
    """Only the tags, when the repository is the same."""
    (have_name, _, have_tag), (want_name, _, want_tag) = have.rpartition(":"), want.rpartition(":")
    return (have_tag, want_tag) if have_name == want_name else (have, want)


def _pairs(value: Mapping[str, Any], keys: list[str]) -> str:
    said = (f"{key} {_text(key, value[key])}" for key in keys if key in value)
    return ", ".join(said) or NOT_SET


def _text(name: str, value: Any) -> str:
    if value is _MISSING or value is None or value in ("", [], {}):
        return NOT_SET
    if name in _LIMITS and not value:
        return "none"
    if name in ("memory limit", "memory reservation"):
        return format_size(value)
    match value:
        case bool():
            said = str(value).lower()
        case float() if name == "processor limit":
            said = f"{value:g}"
        case float():
            said = f"{value:g} s"
        case list():
            said = " ".join(map(str, value))
        case dict():
            said = _pairs(value, sorted(value))
        case _:
            said = str(value)
    return "(secret)" if said.startswith("sealed:") else said
