"""The status of a fleet as a table or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.text import Text

from paisctl.status import Row
from paisctl.views.console import plural, render
from paisctl.views.json import FORMAT, dump

_HEADINGS = ("HOST", "SERVICE", "WANTED", "RUNNING", "STATE", "DIFFERS", "SINCE (UTC)")
_STYLES = {"healthy": "green", "running": "green", "starting": "yellow"}


def as_json(rows: Sequence[Row]) -> str:
    """One JSON document, with a line end."""
    services = [{key: value or None for key, value in asdict(row).items()} for row in rows]
    return dump({"format": FORMAT, "services": services})


def as_table(rows: Sequence[Row]) -> str:
    """One line per service, in columns, and a line that sums up."""
    services = [row for row in rows if not row.problem]
    cells = [_cells(row) for row in services]
    widths = [max([len(h), *(len(c[i]) for c in cells)]) for i, h in enumerate(_HEADINGS)]
    lines = [_line(_HEADINGS, widths, "bold")] if cells else []
    for row in rows:
        if row.problem:
            lines.append(Text.assemble(("? ", "red"), (row.device, "bold"), f"  {row.problem}"))
        else:
            style = _STYLES.get(row.state, "red")
            lines.append(_line(_cells(row), widths, "" if style == "green" else style))
    return render([*lines, Text(_summary(rows), "bold")])


def _cells(row: Row) -> tuple[str, ...]:
    name = row.service if row.service == row.stack else f"{row.stack}/{row.service}"
    wanted, running = _tag(row.wanted) or "(nothing)", _tag(row.running) or "-"
    since = row.since[:16].replace("T", " ")
    return (row.device, name, wanted, running, row.state, row.differs or "-", since or "-")


def _tag(image: str) -> str:
    return image.partition("@")[0].rpartition(":")[2]


def _line(cells: Sequence[str], widths: Sequence[int], style: str) -> Text:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return Text("  ".join(padded).rstrip(), style)


def _summary(rows: Sequence[Row]) -> str:
    services = [row for row in rows if not row.problem]
    well = sum(row.state in ("healthy", "running", "exited (0)") for row in services)
    differ = sum(bool(row.differs) for row in services)
    unread = sum(bool(row.problem) for row in rows)
    said = f"{plural(len(services), 'service')}: {well} well, {differ} not as wanted"
    return f"{said}; {plural(unread, 'host')} could not be read" if unread else said
