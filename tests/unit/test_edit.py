from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from paisctl.diagnostics import Diagnostics
from paisctl.errors import CannotEdit, InvalidInput
from paisctl.inventory.edit import (
    AddItem,
    Edit,
    RemoveItem,
    RemoveKey,
    SetValue,
    edited,
    write,
)
from paisctl.inventory.source import parse_yaml
from paisctl.inventory.text import read_text

ANNA = {"id": "anna@example.com", "role": "child"}
USERS = ("users",)

BLOCK = """\
users:
  # parents
  - id: eve@example.com # she
    role: admin
    # a note on her
  # children
  - id: "bo@example.com"
    role:   child   # until 18
  # guests come here

stacks: {}
"""

# What it is about: before, the edit, after.
CASES: dict[str, tuple[str, Edit, str]] = {
    "item after the last one, above the comment at the end": (
        BLOCK,
        AddItem(USERS, ANNA),
        BLOCK.replace("  # guests", '  - id: "anna@example.com"\n    role: child\n  # guests'),
    ),
    "item goes with the comments above, on and below it": (
        BLOCK,
        RemoveItem(USERS, 0),
        BLOCK[:7] + BLOCK[BLOCK.index("  # children") :],
    ),
    "comment at the end stays": (
        BLOCK,
        RemoveItem(USERS, 1),
        BLOCK[: BLOCK.index("  # children")] + "  # guests come here\n\nstacks: {}\n",
    ),
    "value in its place, alignment and comment kept": (
        BLOCK,
        SetValue((*USERS, 1, "role"), "adult"),
        BLOCK.replace("  child   #", "  adult   #"),
    ),
    "quotes kept": (
        BLOCK,
        SetValue((*USERS, 1, "id"), "bob@example.com"),
        BLOCK.replace('"bo@', '"bob@'),
    ),
    "key after the last one": (
        BLOCK,
        SetValue((*USERS, 0, "allow_cloud"), True),
        BLOCK.replace("admin\n    # a", "admin\n    allow_cloud: true\n    # a"),
    ),
    "first key of an item": (
        BLOCK,
        RemoveKey((*USERS, 0, "id")),
        BLOCK.replace("- id: eve@example.com # she\n    role", "- role"),
    ),
    "first key of an item, the next with a comment": (
        "a:\n  - b: 1\n    # on c\n    c: 2\n",
        RemoveKey(("a", 0, "b")),
        "a:\n  -\n    # on c\n    c: 2\n",
    ),
    "items apart stay apart": (
        "users:\n- id: a\n\n- id: b\nstacks:\n",
        AddItem(USERS, {"id": "c"}),
        "users:\n- id: a\n\n- id: b\n\n- id: c\nstacks:\n",
    ),
    "what kept the last item apart goes with it": (
        "users:\n- id: a\n\n- id: b\nstacks:\n",
        RemoveItem(USERS, 1),
        "users:\n- id: a\nstacks:\n",
    ),
    "item in the style of its neighbours": (
        "users:\n    -   {id: 'a', role: child}\n",
        AddItem(USERS, ANNA),
        "users:\n    -   {id: 'a', role: child}\n    -   {id: 'anna@example.com', role: child}\n",
    ),
    "item between brackets": (
        "users: [{id: a, role: child}] # all\n",
        AddItem(USERS, ANNA),
        "users: [{id: a, role: child}, {id: anna@example.com, role: child}] # all\n",
    ),
    "item between brackets on a line of its own": (
        "users: [\n  {id: a}, # first\n  {id: b} # second\n]\n",
        AddItem(USERS, {"id": "c"}),
        "users: [\n  {id: a}, # first\n  {id: b}, # second\n  {id: c}\n]\n",
    ),
    "item between brackets after a comma": (
        "users: [\n\t{id: a},\n]\n",
        AddItem(USERS, {"id": "c"}),
        "users: [\n\t{id: a},\n\t{id: c},\n]\n",
    ),
    "JSON stays JSON": (
        '{"users": [{"id": "a"}]}',
        AddItem(USERS, {"id": "c", "role": "d", "x": ["e"], "y": {"z": 1}}),
        '{"users": [{"id": "a"}, {"id": "c", "role": "d", "x": ["e"], "y": {"z": 1}}]}',
    ),
    "first item of []": (
        "users: [] # nobody\nstacks:\n",
        AddItem(USERS, ANNA),
        "users: # nobody\n  - id: anna@example.com\n    role: child\nstacks:\n",
    ),
    "first item of nothing": (
        "users: # nobody\n  # yet\nstacks:\n",
        AddItem(USERS, {"id": "a"}),
        "users: # nobody\n  # yet\n  - id: a\nstacks:\n",
    ),
    "first item of null": ("users: null\n", AddItem(USERS, {"id": "a"}), "users:\n  - id: a\n"),
    "first item between brackets": (
        "{users: , a: 1}",
        AddItem(USERS, {"id": "a"}),
        "{users: [{id: a}] , a: 1}",
    ),
    "new section above the first that follows, with its comment": (
        "name: x\n\n# Versions\nstacks:\n\ndevices:\n",
        AddItem(USERS, {"id": "a"}),
        "name: x\n\nusers:\n  - id: a\n\n# Versions\nstacks:\n\ndevices:\n",
    ),
    "new section below the heading of the file": (
        "# My home\ndevices:\n  box:\n",
        AddItem(USERS, {"id": "a"}),
        "# My home\nusers:\n  - id: a\ndevices:\n  box:\n",
    ),
    "new section at the end": (
        "name: x",
        AddItem(USERS, {"id": "a"}),
        "name: x\nusers:\n  - id: a",
    ),
    "new section in an overlay without anything": (
        "# only this\n",
        AddItem(USERS, {"id": "a"}),
        "# only this\nusers:\n  - id: a\n",
    ),
    "new section in the indentation of the others": (
        "secrets:\n- a\n",
        AddItem(USERS, {"id": "a"}),
        "secrets:\n- a\nusers:\n- id: a\n",
    ),
    "last item leaves []": (
        "users: # all\n  # him\n  - id: a\n    role: b\n\n# Versions\nstacks:\n",
        RemoveItem(USERS, 0),
        "users: [] # all\n\n# Versions\nstacks:\n",
    ),
    "last item between brackets": ("users: [ {id: a} ]\n", RemoveItem(USERS, 0), "users: []\n"),
    "last key leaves {}": ("a:\n  - b: 1 # c\n", RemoveKey(("a", 0, "b")), "a:\n  - {}\n"),
    "first item between brackets goes": ("a: [b, c]\n", RemoveItem(("a",), 0), "a: [c]\n"),
    "second item between brackets goes": ("a: [b, c ]\n", RemoveItem(("a",), 1), "a: [b ]\n"),
    "comment of the next item between brackets stays": (
        "a: [b, # b\n  # c\n  c]\n",
        RemoveItem(("a",), 0),
        "a: [\n  # c\n  c]\n",
    ),
    "comment of the item before between brackets stays": (
        "a: [b, # b\n  c]\n",
        RemoveItem(("a",), 1),
        "a: [b # b\n  ]\n",
    ),
    "item on a line of its own between brackets": (
        "a: [\n  b, # b\n  # c\n  c # c\n]\n",
        RemoveItem(("a",), 1),
        "a: [\n  b # b\n]\n",
    ),
    "comment of an item at the end of a line between brackets": (
        "a: [b, c, # c\n]\n",
        RemoveItem(("a",), 1),
        "a: [b\n]\n",
    ),
    "last item between brackets with a comment of all": (
        "a: [ # all\n  # b\n  b, # b\n]\n",
        RemoveItem(("a",), 0),
        "a: [ # all\n]\n",
    ),
    "version between brackets": (
        "qdrant:\n  images: {qdrant: {tag: v1.18.3}} # no way back\n",
        SetValue(("qdrant", "images", "qdrant", "tag"), "v1.19.0"),
        "qdrant:\n  images: {qdrant: {tag: v1.19.0}} # no way back\n",
    ),
    "keys that are missing on the way": (
        "stacks:\n  qdrant: # k\n",
        SetValue(("stacks", "qdrant", "images", "qdrant", "tag"), "v1.19.0"),
        "stacks:\n  qdrant: {images: {qdrant: {tag: v1.19.0}}} # k\n",
    ),
    "of a list, what differs": (
        "a:\n  - b # b\n  - c # c\n",
        SetValue(("a",), ["c", "d"]),
        "a:\n  - c # c\n  - d\n",
    ),
    "of a mapping, what differs": (
        "a: {b: 1,  c: 2} # a\n",
        SetValue(("a",), {"c": 2, "d": [3]}),
        "a: {c: 2, d: [3]} # a\n",
    ),
    "another kind of value": (
        "a: # a\n- b\n- c\n# d\nd: 1\n",
        SetValue(("a",), "all"),
        "a: all # a\n# d\nd: 1\n",
    ),
    "text on many lines": (
        "a: |\n  # one\n  two\n\nb: 1\n",
        SetValue(("a",), "one"),
        "a: one\n\nb: 1\n",
    ),
    "what looks like a comment of the next key": (
        'a: "one\n# two"\nb: 1\nc: 2\n',
        RemoveKey(("b",)),
        'a: "one\n# two"\nc: 2\n',
    ),
    "key without a value between brackets": ("{a, b}", SetValue(("a",), 1), "{a: 1, b}"),
    "line ends and no last one": (
        "users:\r\n  - id: a # é🔑",
        AddItem(USERS, {"id": "b"}),
        "users:\r\n  - id: a # é🔑\r\n  - id: b",
    ),
    "an alias that is not touched": (
        "a: &a [1]\nb: *a\nc: 1\n",
        SetValue(("c",), 2),
        "a: &a [1]\nb: *a\nc: 2\n",
    ),
    "an alias that goes": ("a: &a [1]\nb: *a\n", RemoveKey(("b",)), "a: &a [1]\n"),
}


@pytest.mark.parametrize("case", CASES)
def test_only_what_is_asked_for_changes(case: str) -> None:
    before, edit, after = CASES[case]
    assert edited(before, [edit]) == after


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("anna@example.com", "anna@example.com"),
        ("llama3.2:8b", "llama3.2:8b"),
        ("100.64.0.1", "100.64.0.1"),
        ("v1.18.3", "v1.18.3"),
        ("Müller", "Müller"),
        (True, "true"),
        (None, "null"),
        (20, "20"),
        (0.5, "0.5"),
        ([], "[]"),
        (["*", "a"], '["*", a]'),
        ("on", '"on"'),
        ("No", '"No"'),
        ("1.0", '"1.0"'),
        ("1e3", '"1e3"'),
        ("22:22", '"22:22"'),
        ("0x1f", '"0x1f"'),
        ("2026-01-01", '"2026-01-01"'),
        ("null", '"null"'),
        ("~", '"~"'),
        ("", '""'),
        (" a", '" a"'),
        ("@x", '"@x"'),
        ("*", '"*"'),
        ("- a", '"- a"'),
        ("a: b", '"a: b"'),
        ("a:", '"a:"'),
        ("a #b", '"a #b"'),
        ('"', '"\\""'),
        ("a\nb", '"a\\nb"'),
        ("\x85\u2028\ufeff", '"\\u0085\\u2028\\ufeff"'),
    ],
)
def test_values_are_quoted_where_they_must_be(value: Any, written: str) -> None:
    for before in ("a: 1 # c\nb:\n", "{a: 1 , b: }"):
        result = edited(before, [SetValue(("a",), value)])
        assert result == before.replace("1", written)
        assert parse_yaml(result, "f", Diagnostics()).data == {"a": value, "b": None}


def test_a_text_keeps_the_quotes_of_the_one_before_if_it_can() -> None:
    assert edited("a: 'b'\n", [SetValue(("a",), "it's")]) == "a: 'it''s'\n"
    assert edited("a: 'b'\n", [SetValue(("a",), "c\td")]) == 'a: "c\\td"\n'
    assert edited("a: 'b'\n", [SetValue(("a",), 1)]) == "a: 1\n"


def test_edits_follow_each_other() -> None:
    edits: list[Edit] = [AddItem(USERS, {"id": "a"}), AddItem(USERS, ANNA), RemoveItem(USERS, 0)]
    assert edited("", edits) == "users:\n  - id: anna@example.com\n    role: child\n"


def test_what_is_so_already_is_not_written_again() -> None:
    assert edited("a:   '1' \n", [SetValue(("a",), "1")]) == "a:   '1' \n"


@pytest.mark.parametrize(
    ("text", "edit", "message", "hint"),
    [
        (
            "people: &p\n  - id: a\nusers: *p\n",
            AddItem(USERS, {"id": "b"}),
            "cannot edit `users` in f.yaml, line 3: its value is the alias `*p`",
            "add to `users` by hand: - {id: b}",
        ),
        (
            "users: &p\n  - id: a\npeople: *p\n",
            SetValue(("users", 0, "role"), "child"),
            "cannot edit `users[0].role` in f.yaml, line 1: `*p` stands for it elsewhere",
            "write by hand: users[0].role: child",
        ),
        (
            "a: &a 1\n",
            SetValue(("a",), 2),
            "cannot edit `a` in f.yaml, line 1: its value is anchored as `&a`",
            "write by hand: a: 2",
        ),
        (
            "a: {b: &b 1}\nc: *b\n",
            RemoveKey(("a",)),
            "cannot edit `a` in f.yaml, line 1: `*b` stands for it elsewhere",
            "remove `a` by hand",
        ),
        (
            "a: 1\n",
            RemoveKey(("users",)),
            "cannot edit `users` in f.yaml, line 1: there is no `users`",
            "remove `users` by hand",
        ),
        (
            "users: [a]\n",
            RemoveItem(USERS, 1),
            "cannot edit `users` in f.yaml, line 1: there is no item 2",
            "remove `users[1]` by hand",
        ),
        (
            "\nusers: all\n",
            AddItem(USERS, ANNA),
            "cannot edit `users` in f.yaml, line 2: its value is no list",
            "add to `users` by hand: - {id: anna@example.com, role: child}",
        ),
        (
            "users: all\n",
            SetValue(("users", "a"), 1),
            "cannot edit `users.a` in f.yaml, line 1: what should hold `a` is no mapping",
            "write by hand: users.a: 1",
        ),
        (
            "? a\n: 1\n? b\n: 2\n",
            RemoveKey(("b",)),
            "cannot edit `b` in f.yaml, line 3: it does not begin its line",
            "remove `b` by hand",
        ),
        (
            "a: 1\n...\n",
            SetValue(("b",), float("inf")),
            "cannot edit `b` in f.yaml, line 1: the way it is written leaves no place for it",
            "write by hand: b: Infinity",
        ),
    ],
)
def test_what_cannot_be_done_is_said_with_what_to_do_by_hand(
    text: str, edit: Edit, message: str, hint: str
) -> None:
    with pytest.raises(CannotEdit) as error:
        edited(text, [edit], "f.yaml")
    assert (error.value.message, error.value.hint) == (message, hint)


def test_a_result_that_says_something_else_is_never_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("paisctl.inventory.editing.emit.scalar", lambda *_: "other")
    with pytest.raises(CannotEdit):
        edited("a: 1\n", [SetValue(("a",), "b")])


def test_a_file_that_is_not_valid_is_not_edited() -> None:
    with pytest.raises(InvalidInput):
        edited("a: [\n", [SetValue(("a",), 1)])


def read(path: Path) -> str:
    text = read_text(path, Diagnostics())
    assert text is not None
    return text


@pytest.mark.parametrize("content", ["a: 1\r\nb: é\n", "\ufeffa: 1\n", "a: 1"])
def test_a_file_is_replaced_with_its_mode_and_its_bytes(tmp_path: Path, content: str) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    real.write_bytes(content.encode())
    real.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(real, 12345, 54321)
    link.symlink_to("real.yaml")
    known, text = real.stat(), read(link)
    write(link, text, text.replace("1", "2"))
    assert link.is_symlink()
    assert real.read_bytes() == content.replace("1", "2").encode()
    now = real.stat()
    assert stat.S_IMODE(now.st_mode) == 0o640
    assert (now.st_uid, now.st_gid) == (known.st_uid, known.st_gid)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.yaml", "real.yaml"]


def test_a_file_that_somebody_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "pais.yaml"
    path.write_text("a: 3\n")
    with pytest.raises(CannotEdit, match="was changed since it was read"):
        write(path, "a: 1\n", "a: 2\n")
    assert path.read_text() == "a: 3\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pais.yaml"
    path.write_text("a: 1\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotEdit, match="No space left on device"):
        write(path, "a: 1\n", "a: 2\n")
    assert path.read_text() == "a: 1\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(CannotEdit, match="No such file"):
        write(tmp_path / "pais.yaml", "a: 1\n", "a: 2\n")
    assert not list(tmp_path.iterdir())
