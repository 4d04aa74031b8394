"""One way to style text: colour on a terminal, none in a pipe or with NO_COLOR."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

# What a host says must not steer the terminal: control characters become pictures of themselves
# (Unicode block "Control Pictures"), one for one, so that styles stay where they are.
_VISIBLE = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"}
_VISIBLE |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
# Nor must what is shown read in another order than it stands
# (https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters), or on more lines.
_DIRECTIONS = (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_VISIBLE |= dict.fromkeys(_DIRECTIONS, 0xFFFD)


def visible(text: str) -> str:
    """A text with pictures in place of what would steer a terminal."""
    return text.translate(_VISIBLE)


def width() -> int:
    """Columns to fill: the terminal's, or 80 where there is none."""
    return Console(file=sys.stdout).width if sys.stdout.isatty() else 80


def render(lines: Iterable[Text]) -> str:
    """Lines as text for stdout, styled only if stdout is a terminal that wants colour."""
    out = io.StringIO()
    console = Console(
        file=out,
        force_terminal=sys.stdout.isatty(),
        color_system="auto" if sys.stdout.isatty() else None,
        width=10_000,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
    )
    for line in lines:
        line.plain = visible(line.plain)
        console.print(line)
    return out.getvalue()


def plural(number: int, noun: str) -> str:
    """`1 host`, `2 hosts`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def minute(time: str) -> str:
    """RFC 3339 in UTC as people read it, without the seconds."""
    return time[:16].replace("T", " ")


def duration(seconds: float) -> str:
    """`0.5 s`, `90 s`, `5 min`, `2 min 30 s`."""
    if seconds < 120:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
