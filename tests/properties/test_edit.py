"""What an edit does not ask for stays as it is, however the document is written."""

from __future__ import annotations

import copy
import re
from collections import Counter
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from paisctl.diagnostics import Diagnostics
from paisctl.errors import CannotEdit
from paisctl.inventory.edit import AddItem, RemoveItem, RemoveKey, SetValue, edited
from paisctl.inventory.source import parse_yaml
from tests.properties.documents import KEYS, Document, Path_, data, documents, paths_in
from tests.properties.strategies import texts

values = data | texts | st.dictionaries(st.sampled_from(KEYS), texts, max_size=3)


def said(text: str) -> Any:
    diagnostics = Diagnostics()
    source = parse_yaml(text, "f", diagnostics)
    assert not diagnostics.errors, [str(item) for item in diagnostics]
    return source.data


def at(value: Any, path: Path_) -> Any:
    for name in path:
        value = value[name]
    return value


def lines(text: str) -> list[str]:
    return re.split("\r?\n", text)


def stay(before: list[str], after: str) -> None:
    """Assert that lines are all there still, in their order."""
    rest = iter(lines(after))
    missing = [line for line in before if line not in rest]
    assert not missing, f"{missing!r} is gone from:\n{after}"


def line_breaks(text: str) -> set[str]:
    return set(re.findall("\r?\n", text))


def comments(text: str) -> list[str]:
    """The comments, each of which has a number of its own."""
    return re.findall(r"# \d+ -", text)


def well_kept(document: Document, result: str, path: Path_, *beside: Path_) -> None:
    """Assert that all lines stay but those of a path and of what shares lines with it, and all
    comments but those of the path itself."""
    stay(document.lines_but_of(path, *beside), result)
    others = comments("\n".join(document.lines_but_of(path)))
    assert [comment for comment in comments(result) if comment in others] == others
    if line_breaks(document.text):
        assert line_breaks(result) <= line_breaks(document.text)


@given(documents())
def test_documents_say_what_they_are_meant_to(document: Document) -> None:
    assert said(document.text) == document.data


@given(documents(), st.data(), values)
def test_a_value_is_set_and_all_other_lines_stay(
    document: Document, draw: st.DataObject, value: Any
) -> None:
    path = draw.draw(st.sampled_from(list(paths_in(document.data))))
    result = edited(document.text, [SetValue(path, value)])
    wanted = copy.deepcopy(document.data)
    at(wanted, path[:-1])[path[-1]] = value
    assert said(result) == wanted
    well_kept(document, result, path, *_on_the_line_of(document, path))
    assert edited(result, [SetValue(path, value)]) == result


@given(documents(), st.data(), values)
def test_a_key_is_added_and_no_line_but_its_mappings_changes(
    document: Document, draw: st.DataObject, value: Any
) -> None:
    places = [(), *paths_in(document.data)]
    mappings = [path for path in places if isinstance(at(document.data, path), dict)]
    path = draw.draw(st.sampled_from(mappings))
    result = edited(document.text, [SetValue((*path, "new"), value)])
    wanted = copy.deepcopy(document.data)
    at(wanted, path)["new"] = value
    assert said(result) == wanted
    _only_grown(document, result)
    # All lines and comments are back when it goes again; what was empty is written as such.
    assert said(edited(result, [RemoveKey((*path, "new"))])) == document.data


@given(documents(), st.data(), values)
def test_an_item_is_added_and_no_line_but_its_lists_changes(
    document: Document, draw: st.DataObject, value: Any
) -> None:
    lists = [p for p in paths_in(document.data) if isinstance(at(document.data, p), list)]
    path = draw.draw(st.sampled_from([*lists, ("users",)]))
    result = edited(document.text, [AddItem(path, value, before=("role", "7"))])
    wanted = copy.deepcopy(document.data)
    wanted.setdefault("users", []) if path == ("users",) else None
    at(wanted, path).append(value)
    assert said(result) == wanted
    _only_grown(document, result)
    index = len(at(wanted, path)) - 1
    back = edited(result, [RemoveItem(path, index)])
    if index:
        assert back == document.text


@given(documents(), st.data())
def test_what_is_removed_goes_with_its_comments_and_nothing_else(
    document: Document, draw: st.DataObject
) -> None:
    path = draw.draw(st.sampled_from(list(paths_in(document.data))))
    name = path[-1]
    edit = RemoveItem(path[:-1], name) if isinstance(name, int) else RemoveKey(path)
    result = edited(document.text, [edit])
    wanted = copy.deepcopy(document.data)
    del at(wanted, path[:-1])[name]
    assert said(result) == wanted
    beside = _on_the_line_of(document, path)
    well_kept(document, result, path, *beside)
    assert comments(result) == comments("\n".join(document.lines_but_of(path)))


@given(documents(), st.data(), values)
def test_what_is_anchored_is_edited_rightly_or_not_at_all(
    document: Document, draw: st.DataObject, value: Any
) -> None:
    # An anchor where a key has its value on the line, used at the end of the document.
    owners = [owner for owner, _ in document.lines if owner]
    number = draw.draw(st.integers(0, len(document.lines) - 1))
    owner, line = document.lines[number]
    assume(owner and owners.count(owner) == 1 and not line.strip().startswith("#"))
    anchored = [text for _, text in document.lines]
    anchored[number] = re.sub("(:)( |$)", r"\1 &one\2", line, count=1)
    text = "\n".join([*anchored, "last: *one", ""])
    problems = Diagnostics()
    before = parse_yaml(text, "f", problems).data
    assume(not problems.errors and before == {**document.data, "last": before["last"]})
    path = draw.draw(st.sampled_from(list(paths_in(before))))
    try:
        result = edited(text, [SetValue(path, value)])
    except CannotEdit:
        return
    at(before, path[:-1])[path[-1]] = value
    assert said(result) == before


def _on_the_line_of(document: Document, path: Path_) -> list[Path_]:
    """Paths of what shares a line with a value: all in the same brackets, or after its dash."""
    shared = []
    owners = {owner for owner, line in document.lines if not line.strip().startswith("#")}
    # A dash's first key stands on the dash's line, and a bracket's entries on the bracket's.
    for length in range(1, len(path)):
        inner = path[:length]
        if inner not in owners or path not in owners:
            shared.append(inner)
    return [*shared, path[:-1]] if len(path) > 1 else shared


def _only_grown(document: Document, result: str) -> None:
    """Assert that all lines stay, but the one where a value in brackets, or none at all, ends."""
    kept = [line for _, line in document.lines]
    gone = list((Counter(kept) - Counter(lines(result))).elements())
    assert len(gone) <= 1, f"{gone!r} are gone from:\n{result}"
    stay([line for line in kept if line not in gone], result)
    assert comments(result) == comments(document.text)
