"""A time that is to come, as a person writes it."""

from __future__ import annotations

import re
import time
from datetime import datetime

_SPAN = re.compile(r"(\d{1,5})(m|h|d)")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_YEAR = 366 * 86_400
_KINDS = "write for example 2h, 3d, 2026-12-01 or 2026-12-01T18:00"


def parse_moment(text: str, now: float, there: int) -> int:
    """Seconds since 1970 of `2h`, `3d`, `2026-12-01` or `2026-12-01T18:00`.

    A span is counted by the clock of whoever is to keep it, a date is in this machine's time zone.

    Args:
        text: what was written.
        now: the time by this machine's clock, seconds since 1970.
        there: the time by the clock that will be asked.

    Raises:
        ValueError: it is no time, is over, or more than a year away.
    """
    if match := _SPAN.fullmatch(text.strip()):
        wait = int(match[1]) * _SECONDS[match[2]]
        end = there + wait
    else:
        end = _date(text.strip())
        wait = end - round(now)
    if wait <= 0:
        raise ValueError(
            f"`{text}` is over: it is {time.strftime('%Y-%m-%dT%H:%M', time.localtime(now))}"
        )
    if wait > _YEAR:
        raise ValueError(f"`{text}` is more than a year away")
    return end


def _date(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"`{text}` is no time; {_KINDS}") from None
    try:
        return round(moment.timestamp())  # without a zone: local time
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"`{text}` is no time; {_KINDS}") from None
