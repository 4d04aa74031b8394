"""What can be asked for of an inventory's text, and what it does to the data in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from paisctl.inventory.source import Path_


@dataclass(frozen=True, slots=True)
class AddItem:
    """Add an item at the end of the sequence at `path`.

    A sequence that is not there is made, above the first of the keys `before` that is there.
    """

    path: Path_
    item: Any
    before: Sequence[str] = ("stacks", "devices")


@dataclass(frozen=True, slots=True)
class SetValue:
    """Set the value at `path`; keys on the way there are made.

    Of a mapping or a list, only the parts that differ are written.
    """

    path: Path_
    value: Any


@dataclass(frozen=True, slots=True)
class RemoveKey:
    """Remove the key at the end of `path`."""

    path: Path_


@dataclass(frozen=True, slots=True)
class RemoveItem:
    """Remove one item, counted from 0, of the sequence at `path`."""

    path: Path_
    index: int


Edit = AddItem | SetValue | RemoveKey | RemoveItem


class Misfit(Exception):
    """The data has no place for an edit, however it is written."""


def same(one: Any, other: Any) -> bool:
    """Whether plain data is equal, with `1`, `1.0` and `true` told apart."""
    return one is other or json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def applied(data: Any, edit: Edit) -> Any:
    """The data after an edit.

    Raises:
        Misfit: what the edit is about is not there, or is something else.
    """
    match edit:
        case AddItem(path, item):
            return _changed(data, path, lambda old: [*_list(old), item])
        case SetValue(path, value):
            return _changed(data, path, lambda _: value)
        case RemoveKey(path):
            return _changed(data, path[:-1], lambda old: _without(old, path[-1]))
        case RemoveItem(path, index):
            return _changed(data, path, lambda old: _without(old, index))


def steps(edit: SetValue, data: Any) -> list[Edit]:
    """The smaller edits that set a collection where there is another of its kind, if that is so."""
    path, new, old = edit.path, edit.value, data
    for name in path:
        if not _is_in(old, name):
            return []
        old = old[name]
    if isinstance(old, dict) and isinstance(new, dict):
        changed = [key for key in new if key not in old or not same(old[key], new[key])]
        return [
            *(SetValue((*path, key), new[key]) for key in changed),
            *(RemoveKey((*path, key)) for key in old if key not in new),
        ]
    if isinstance(old, list) and isinstance(new, (list, tuple)):
        return _list_steps(path, old, new)
    return []


def _list_steps(path: Path_, old: Sequence[Any], new: Sequence[Any]) -> list[Edit]:
    kept, gone = 0, []
    for index, item in enumerate(old):
        if kept < len(new) and same(item, new[kept]):
            kept += 1
        else:
            gone.append(RemoveItem(path, index))
    return [*(AddItem(path, item) for item in new[kept:]), *reversed(gone)]


def _changed(data: Any, path: Path_, change: Callable[[Any], Any]) -> Any:
    """A copy of the data with what is at a path changed; a missing mapping is taken for empty."""
    if not path:
        return change(data)
    name, below = path[0], path[1:]
    if isinstance(name, str) and (data is None or isinstance(data, dict)):
        known = data or {}
        return {**known, name: _changed(known.get(name), below, change)}
    if _is_in(data, name):
        position = int(name)
        inner = _changed(data[position], below, change)
        return [*data[:position], inner, *data[position + 1 :]]
    if isinstance(name, str):
        raise Misfit(f"what should hold `{name}` is no mapping")
    raise Misfit(f"there is no {_named(name)}")


def _without(data: Any, name: str | int) -> Any:
    if not _is_in(data, name):
        raise Misfit(f"there is no {_named(name)}")
    if isinstance(data, dict):
        return {key: value for key, value in data.items() if key != name}
    return [item for index, item in enumerate(data) if index != name]


def _is_in(data: Any, name: str | int) -> bool:
    if isinstance(name, str):
        return isinstance(data, dict) and name in data
    return isinstance(data, list) and 0 <= name < len(data)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Misfit("its value is no list")
    return value


def _named(name: str | int) -> str:
    return f"`{name}`" if isinstance(name, str) else f"item {name + 1}"
