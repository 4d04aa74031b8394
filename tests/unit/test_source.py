from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.source import Source, parse_yaml, read_yaml
from paisctl.inventory.text import MAX_BYTES


def parse(text: str) -> tuple[Source, list[str]]:
    diagnostics = Diagnostics()
    return parse_yaml(text, "f", diagnostics), [d.code for d in diagnostics]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("22:22", "22:22"),
        ("0755", 755),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-7", -7),
        ("true", True),
        ("~", None),
        ("", None),
        ("'12'", "12"),
        ("2026-01-01", "2026-01-01"),
        ("12345678901234567890", "12345678901234567890"),
        ("|\n  a\n  b", "a\nb\n"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: Any) -> None:
    source, problems = parse(f"key: {text}\n")
    assert source.data == {"key": value}
    assert type(source.data["key"]) is type(value)
    assert not problems


def test_marks_are_where_keys_and_values_begin() -> None:
    source, _ = parse("a:\n  - b: {c: long}\n")
    value, key = source.mark(("a", 0, "b", "c")), source.key_mark(("a", 0, "b", "c"))
    assert value
    assert key
    assert (value.line, value.column, value.width) == (2, 12, 4)
    assert (key.line, key.column, key.width) == (2, 9, 1)


def test_the_mark_of_what_was_not_written_is_that_of_what_is_around_it() -> None:
    source, _ = parse("a:\n  b: 1\n")
    assert source.mark(("a", "x", "y")) == source.mark(("a",))
    assert Source().mark(("a",)) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: 1\na: 2\n", "duplicate-key"),
        ("a: [", "yaml"),
        ("a: !secret x\n", "yaml-tag"),
        ("<<: {a: 1}\n", "merge-key"),
        ("[1, 2]: x\n", "bad-key"),
        ("&a [*a]", "yaml"),
        ("a: !!str 5\n", "yaml-tag"),
        ("a: !x [b]\n", "yaml-tag"),
        ('a: "\\0"\n', "bad-character"),
        ('"\\ue000a\\ue001": b\n', "bad-character"),
        ("a: 1\n---\nb: 1\n", "yaml"),
        ("a: " + "[" * 100_000, "too-large"),
        ("a:\n  " + "- " * 100_000 + "b\n", "too-large"),
        ("a: " + "{a: " * 100_000, "too-large"),
        ("a: " + "[" * 60 + "]" * 60, "too-large"),
    ],
)
def test_what_cannot_be_used_is_reported(text: str, code: str) -> None:
    _, problems = parse(text)
    assert code in problems


def test_a_tab_gets_a_hint() -> None:
    diagnostics = Diagnostics()
    parse_yaml("a:\n\tb: 1\n", "f", diagnostics)
    [problem] = diagnostics
    assert problem.hint
    assert "tab" in problem.hint
    assert problem.mark
    assert problem.mark.line == 2


def test_aliases_that_multiply_are_cut_off() -> None:
    layers = "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 9))
    _, problems = parse(f"l0: &l0 [x]\n{layers}\n")
    assert problems == ["too-large"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"a: 1\nb: \xe9\n")
    (tmp_path / "huge").write_bytes(b"#" * (MAX_BYTES + 1))
    (tmp_path / "bom").write_bytes(b"\xef\xbb\xbfa: 1\n")
    diagnostics = Diagnostics()
    for name in ("latin", "huge", "nothing", "."):
        assert read_yaml(tmp_path / name, diagnostics).data is None
    assert sorted(d.code for d in diagnostics) == [
        "not-utf-8",
        "too-large",
        "unreadable",
        "unreadable",
    ]
    assert read_yaml(tmp_path / "bom", diagnostics).data == {"a": 1}
