"""The laws of laying one inventory file over another."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.source import Source, merge, parse_yaml
from tests.properties.strategies import as_yaml, texts

keys = st.sampled_from(["a", "b", "c", "d"])
scalars = st.integers(0, 9) | st.booleans() | texts.filter(bool)
values = st.recursive(
    scalars | st.lists(scalars, max_size=2), lambda v: st.dictionaries(keys, v, max_size=3)
)
layers = st.dictionaries(keys, values, max_size=4)


def source(data: Any, name: str) -> Source:
    diagnostics = Diagnostics()
    parsed = parse_yaml(as_yaml(data), name, diagnostics)
    assert not diagnostics.errors
    assert parsed.data == data
    return parsed


def paths(data: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(data, dict):
        return [at]
    return [at, *(path for key in data for path in paths(data[key], (*at, key)))]


@given(layers)
def test_an_empty_overlay_changes_nothing(data: dict[str, Any]) -> None:
    base = source(data, "base")
    merged = merge(base, source({}, "overlay"))
    assert merged.data == base.data
    assert merged.values == base.values
    assert merged.keys == base.keys


@given(layers)
def test_a_file_over_nothing_is_itself(data: dict[str, Any]) -> None:
    assert merge(source({}, "empty"), source(data, "overlay")).data == data


@given(layers)
def test_a_file_over_itself_is_itself(data: dict[str, Any]) -> None:
    assert merge(source(data, "base"), source(data, "overlay")).data == data


@given(layers, layers)
def test_the_later_file_wins(below: dict[str, Any], above: dict[str, Any]) -> None:
    merged = merge(source(below, "base"), source(above, "overlay")).data
    for path in paths(above):
        have, want = at(merged, path), at(above, path)
        assert have == want if not isinstance(want, dict) else isinstance(have, dict)


@given(layers, layers, layers)
@settings(max_examples=50)
def test_how_files_are_grouped_does_not_matter(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> None:
    a, b, c = source(first, "a"), source(second, "b"), source(third, "c")
    left, right = merge(merge(a, b), c), merge(a, merge(b, c))
    assert left.data == right.data
    assert {p: m.file for p, m in left.values.items() if not is_mapping(left.data, p)} == {
        p: m.file for p, m in right.values.items() if not is_mapping(right.data, p)
    }


@given(layers, keys)
def test_null_removes_a_key(data: dict[str, Any], key: str) -> None:
    merged = merge(source(data, "base"), source({key: None}, "overlay"))
    if key in data:
        assert merged.data == {k: v for k, v in data.items() if k != key}
        assert not any(path[:1] == (key,) for path in (*merged.values, *merged.keys))
    else:
        assert merged.data.get(key) is None


@given(layers, layers)
def test_every_value_has_the_mark_of_the_file_it_came_from(
    below: dict[str, Any], above: dict[str, Any]
) -> None:
    merged = merge(source(below, "base"), source(above, "overlay"))
    for path in paths(merged.data):
        mark = merged.values.get(path)
        assert mark, path
        if not is_mapping(merged.data, path):
            assert mark.file == ("overlay" if path in paths(above) else "base")


def at(data: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        data = data[step]
    return data


def is_mapping(data: Any, path: tuple[str | int, ...]) -> bool:
    return isinstance(at(data, path), dict)
