"""Frozen dataclasses as JSON values and back, exactly, led by their type annotations.

A field that equals its default is left out. Enum members are written as their names in lower case,
one of several dataclasses with its class's name as `kind`. What does not fit is refused. (pydantic
would not do: it takes no text with the lone surrogates that stand for bytes that are no UTF-8.)
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_KIND = "kind"
_INNER_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Unfit(ValueError):
    """A JSON value is not what its type asks for. `place` is where, as names of fields."""

    def __init__(self, message: str, *place: str) -> None:
        super().__init__(f"{'.'.join(place)}: {message}" if place else message)
        self.message = message
        self.place = place


def encode(kind: Any, value: Any) -> Any:  # noqa: PLR0911 # one for each sort of type
    """A value of type `kind` as what `json.dumps` takes."""
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        given = ((field, getattr(value, field.name)) for field in fields(kind))
        return {f.name: encode(hints[f.name], v) for f, v in given if v != _default(f)}
    if isinstance(value, Enum):
        return value.name.lower()
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        chosen = _members(arguments)
        if len(chosen) > 1 and value is not None:
            return {_KIND: word_of(type(value)), **encode(type(value), value)}
        return None if value is None else encode(chosen[0], value)
    if origin is tuple:
        return [encode(k, v) for k, v in zip(_of_items(arguments, value), value, strict=True)]
    if origin in (Mapping, dict):
        return {key: encode(arguments[1], item) for key, item in value.items()}
    return value


def decode(kind: Any, data: Any) -> Any:  # noqa: PLR0911 # one for each sort of type
    """The value of type `kind` that `encode` made `data` of.

    Raises:
        Unfit: it did not.
    """
    if is_dataclass(kind):
        return _dataclass(kind, data)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _one_of(arguments, data)
    if origin is tuple:
        kinds = _of_items(arguments, _checked(data, list))
        if len(kinds) != len(data):
            raise Unfit(f"{len(kinds)} items are needed, not {len(data)}")
        return tuple(decode(k, item) for k, item in zip(kinds, data, strict=True))
    if origin in (Mapping, dict):
        return {key: decode(arguments[1], item) for key, item in _checked(data, dict).items()}
    if origin is Literal:
        if data not in arguments:
            raise Unfit(f"{data!r} is not known")
        return data
    if isinstance(kind, type) and issubclass(kind, Enum):
        if _checked(data, str).upper() not in kind.__members__:
            raise Unfit(f"{data!r} is not known")
        return kind[data.upper()]
    return data if kind is Any else _checked(data, kind)


def _dataclass(kind: Any, data: Any) -> Any:
    hints, known = _hints(kind), {field.name: field for field in fields(kind)}
    surplus = _checked(data, dict).keys() - known.keys()
    if surplus:
        raise Unfit(f"{min(surplus)} is not known in {word_of(kind)}")
    values = {}
    for name, field in known.items():
        if name not in data and _default(field) is MISSING:
            raise Unfit(f"{name} is missing in {word_of(kind)}")
        if name in data:
            try:
                values[name] = decode(hints[name], data[name])
            except Unfit as error:
                raise Unfit(error.message, name, *error.place) from None
    return kind(**values)


def _one_of(arguments: tuple[Any, ...], data: Any) -> Any:
    if data is None and type(None) in arguments:
        return None
    chosen = _members(arguments)
    if len(chosen) == 1:
        return decode(chosen[0], data)
    by_word = {word_of(kind): kind for kind in chosen}
    rest = dict(_checked(data, dict))
    word = rest.pop(_KIND, None)
    if word not in by_word:
        raise Unfit(f"{word!r} is not known")
    return decode(by_word[word], rest)


def _checked(data: Any, kind: type) -> Any:
    if kind is float and type(data) is int:
        return float(data)
    if type(data) is not kind:  # not isinstance: true is no number
        raise Unfit(f"{type(data).__name__} where {kind.__name__} is needed")
    return data


def _members(arguments: tuple[Any, ...]) -> list[Any]:
    return [kind for kind in arguments if kind is not type(None)]


def _of_items(arguments: tuple[Any, ...], items: Any) -> list[Any]:
    """The type of each item of a tuple; `tuple[X, ...]` may have any number of them."""
    return [arguments[0]] * len(items) if arguments[1:] == (...,) else list(arguments)


def _default(field: Field[Any]) -> Any:
    made = field.default_factory
    return field.default if made is MISSING else made()


def word_of(kind: type) -> str:
    """The `kind` of a dataclass: `install_file` for InstallFile."""
    return _INNER_CAPITAL.sub("_", kind.__name__).lower()


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
