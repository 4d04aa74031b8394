"""Bytes, shapes and texts that are meant to do harm."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

# `PAISCTL_FUZZ=100` looks a hundred times as long, and at other examples each time.
EFFORT = int(os.environ.get("PAISCTL_FUZZ", "1"))


def effort(examples: int) -> settings:
    """How many examples a property is tried with."""
    return settings(max_examples=examples * EFFORT, derandomize=EFFORT == 1)


# Texts that would do something if a shell, Compose, Jinja, YAML or a terminal read them.
CODE = [
    "$(touch harmed)",
    "`touch harmed`",
    "${HOME} $HOME $$ $${x} ${x:?run} ${x:-run}",
    "{{ 7 * 7 }} {% raw %} {# x #} {{ ''.__class__ }}",
    "'; touch harmed; '",
    '"; touch harmed; "',
    "\\'; touch harmed #",
    "| touch harmed & touch harmed && touch harmed || touch harmed > harmed < harmed",
    "a\ntouch harmed\n",
    "a\r\nb: c\n- d",
    "- x",
    "-rf",
    "--help",
    "~/x",
    "../../../etc/passwd",
    "/etc/passwd",
    "*",
    "? [a-z] {a,b}",
    "\x1b]0;x\x07\x1b[31m\x7f\x9b",
    "\u202eabc\u2066",
    "!!python/object/apply:os.abort []",
    "&a *a <<",
    "x" * 5000,
    "%s %n %%",
    "no",
    "0o17",
    "1e3",
    "",
    " ",
]

SCRAPS: list[bytes] = [
    *(
        b"\0",
        b"\t",
        b"\r",
        b"\x1b[31m",
        b"\x7f",
        b"\xff",
        b"\xc3",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
    ),
    *(c.encode() for c in "\x85\u2028\u202e\U0010ffff\ufffe"),
    "\ue000db_password\ue001".encode(),
    *(
        b"---\n",
        b"...\n",
        b"%YAML 1.1\n",
        b"%TAG ! tag:x,2000:\n",
        b"<<: *a\n",
        b"? ",
        b"- ",
        b": ",
    ),
    *(
        b"&a ",
        b"*a",
        b"&a [*a]",
        b"!!python/object/apply:os.abort []",
        b"!x ",
        b"!!str ",
        b"!!set ",
    ),
    *(b"2026-13-45", b"0o17", b"0x1f", b"1_000", b"1:30", b".nan", b"-.inf", b"1e400", b"9" * 400),
    *(
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"[[[[[[",
        b"{{{{{{",
        b"}",
        b"]",
        b"'",
        b'"',
        b"|\n",
        b">-\n",
    ),
    *(b"{{ 7 * 7 }}", b"{% raw %}", b"{#", b"${HOME}", b"$(abort)", b"`abort`", b"../..", b"-rf"),
    *(b'"\\0"', b'"\\ue000"', b'"\\ud800"', b'"\\e]0;x\\a"', b"x" * 300, b"a:" * 300, b"  " * 90),
]
scraps = st.sampled_from(SCRAPS)
places = st.floats(0, 1, exclude_max=True)
edits = st.lists(
    st.tuples(
        st.sampled_from(["insert", "replace", "cut", "drop", "repeat", "swap", "value", "utf-16"]),
        places,
        places,
        scraps,
    ),
    min_size=1,
    max_size=5,
)


def edited(raw: bytes, changes: list[tuple[str, float, float, bytes]]) -> bytes:
    """What becomes of a file's bytes by some edits."""
    for kind, here, there, scrap in changes:
        if kind == "utf-16":
            raw = raw.decode("utf-8", "replace").encode("utf-16") if here < 0.1 else raw
        elif kind in ("insert", "replace", "cut"):
            at = int(here * len(raw))
            after = {"insert": at, "replace": at + 1 + int(there * 20), "cut": len(raw)}[kind]
            raw = raw[:at] + (b"" if kind == "cut" else scrap) + raw[after:]
        else:
            raw = b"\n".join(_edited_lines(raw.split(b"\n"), kind, here, there, scrap))
    return raw


def _edited_lines(
    lines: list[bytes], kind: str, here: float, there: float, scrap: bytes
) -> list[bytes]:
    one, other = int(here * len(lines)), int(there * len(lines))
    if kind == "drop":
        del lines[one]
    elif kind == "repeat":
        lines.insert(other, lines[one])
    elif kind == "swap":
        lines[one], lines[other] = lines[other], lines[one]
    else:
        key, colon, _ = lines[one].partition(b":")
        lines[one] = key + colon + b" " + scrap
    return lines


# Of another type than whatever is there, or of the right one and out of bounds.
WRONG: list[Any] = [None, [], {}, "", -1, 1e308, True, "x", [[]], {"a": {}}, ["x"], {"secret": []}]


def paths(data: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in nested data."""
    yield at
    steps: dict[Any, Any] = {}
    if isinstance(data, dict | list):
        steps = data if isinstance(data, dict) else dict(enumerate(data))
    for step, value in steps.items():
        yield from paths(value, (*at, step))


def replaced(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Nested data with another value at a path."""
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = replaced(data[path[0]], path[1:], value)
    return copy


def _filled(piece: str, size: int) -> str:
    return (piece * (size // len(piece) + 1))[:size]


def shapes(base: str, size: int) -> dict[str, str]:
    """Files of up to `size` characters that a careless reader takes very long over, or dies of."""
    room = size - len(base) - 200
    device = "{model: x, kind: linux, layer: x, role: x, arch: amd64, memory: 1g, storage: x"
    devices = "".join(
        f"  d{n}: {device}, address: 100.64.{n // 250}.{n % 250 + 1}}}\n"
        for n in range(room // 130)
    )
    bomb = "".join(f"x{n}: &x{n} [{'*x' + str(n - 1)}{f',*x{n - 1}' * 9}]\n" for n in range(1, 30))
    ports = ", ".join(f"'{n}': x" for n in range(1, room // 60))
    return {
        "bomb": f"x0: &x0 [lol]\n{bomb}",
        "a bomb of mappings": base
        + bomb.replace("[", "{a: ").replace(",", ", a: ").replace("]", "}"),
        "itself in itself": f"{base}x: &x [*x]\n",
        "a key that is in itself": f"{base}x: &x {{? *x : 1}}\n",
        "brackets": f"{base}x: {_filled('[', room)}",
        "braces": f"{base}x: {_filled('{a: ', room)}",
        "dashes": f"{base}x:\n  {_filled('- ', room)}",
        "question marks": f"{base}x:\n  {_filled('? ', room)}",
        "brackets that close": f"{base}x: {'[' * min(room // 2, 45_000)}{']' * min(room // 2, 45_000)}",
        "no more dashes than values": f"{base}x:\n  {_filled('- ', min(room, 90_000))}",
        "steps": base + "".join(f"{' ' * n}a:\n" for n in range(int((2 * room) ** 0.5) - 4)),
        "one long word": f"{base}x: {_filled('a', room)}",
        "one long key": f"{base}{_filled('a', room)}: x",
        "one long number": base.replace("version: 1", f"version: {_filled('9', room)}"),
        "one long random text": base.replace("role: ", f"role: {_filled('aB3_', room)} #", 1),
        "keys in values": f"{base}x: {_filled('a:', room)}",
        "host keys": f"{base}x: {_filled('ssh-', room)}",
        "tokens": f"{base}x: {_filled('eyJaaaaaaaaaaaa-', room)}",
        "quotes": f"{base}x: {_filled(chr(39), room)}",
        "an open quote": f'{base}x: "{_filled("a: b" + chr(10), room)}',
        "repeated keys": base + _filled("x: a\n", room),
        "directives": "".join(f"%TAG !a{n}! b\n" for n in range(room // 16)) + f"---\n{base}",
        "documents": _filled("---\n", room),
        "aliases": f"{base}x: &a b\ny: [{_filled('*a,', room)}]",
        "one long list": f"{base}x: [{_filled('a,', room)}]",
        "unknown keys": base + "".join(f"k{n}: v\n" for n in range(min(room // 12, 24_000))),
        "tags": f"{base}x: [{_filled('!a b,', room)}]",
        "devices": base + devices,
        "devices that lack everything": base
        + "".join(f"  d{n}: {{}}\n" for n in range(min(room // 14, 24_000))),
        "devices of unknown kinds": base + devices.replace("linux", "lunix"),
        "settings that all share": f"{base}{devices[: room // 2].rpartition(chr(10))[0]}\n"
        f"defaults: {{reserved_ports: {{{ports}}}}}\n",
        "blank": base + _filled(" \t\n", room),
    }
