"""The status of a fleet as a table or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.text import Text

from paisctl.history import BROKE_OFF, Run
from paisctl.plan import HostPlan
from paisctl.status import DISABLED, Row, Standing
from paisctl.views.console import minute, plural, render
from paisctl.views.history import stacks_of
from paisctl.views.human import asleep_lines
from paisctl.views.json import FORMAT, dump, hold, owed
from paisctl.views.table import table

_HEADINGS = ("HOST", "SERVICE", "VERSION", "STATE", "SINCE (UTC)")
_STYLES = {"healthy": "", "running": "", "starting": "yellow", DISABLED: "dim"}
_ENDS = {
    BROKE_OFF: "broke off before it was done",
    "failed": "failed",
    "rolled-back": "failed and was rolled back to generation {generation}",
    "stopped": "was stopped before it was done",
    "stranded": "failed, and so did going back",
}


def as_json(rows: Sequence[Row], standings: Sequence[Standing] = ()) -> str:
    """One JSON document, with a line end."""
    services = [_row(row) for row in rows]
    hosts = [_json(standing) for standing in standings]
    return dump({"format": FORMAT, "hosts": hosts, "services": services})


def _row(row: Row) -> dict[str, Any]:
    members = {key: value or None for key, value in asdict(row).items()}
    return members | {"owed": owed(row.owed) if row.owed else None}


def _json(standing: Standing) -> dict[str, Any]:
    lease, run = standing.lease, standing.unfinished
    locked = lease and {
        "run": lease.run or None,
        "who": lease.who or None,
        "machine": lease.machine or None,
        "command": lease.command or None,
        "since": lease.since or None,
    }
    unfinished = run and {
        "run": run.origin.run or None,
        "who": run.origin.who or None,
        "machine": run.origin.machine or None,
        "command": run.origin.command or None,
        "began": run.time or None,
        "outcome": run.outcome,
        "generation": run.generation,
        "stacks": dict(run.stacks),
    }
    return {
        "device": standing.device,
        "locked_by": locked,
        "unfinished": unfinished,
        "holds": [hold(each) for each in standing.holds],
    }


def as_table(rows: Sequence[Row], standings: Sequence[Standing] = ()) -> str:
    """One line per service, in columns; what is amiss with hosts; and a line that sums up."""
    services = [row for row in rows if not (row.problem or row.asleep)]
    styles = [_STYLES.get(row.state, "red") for row in services]
    lines = list(table(_HEADINGS, [_cells(row) for row in services], styles)) if services else []
    for row in rows:
        if row.problem:
            lines.append(Text.assemble(("? ", "red"), (row.device, "bold"), f"  {row.problem}"))
        if row.asleep:
            lines += asleep_lines(HostPlan(row.device, asleep=row.asleep, owed=row.owed))
    lines += [line for standing in standings for line in _standing(standing)]
    lines += _unfinished(standings)
    return render([*lines, Text(_summary(rows), "bold")])


def _standing(standing: Standing) -> Iterator[Text]:
    device = standing.device
    if standing.lease:
        yield Text.assemble(
            ("~ ", "yellow"), (device, "bold"), f"  is being changed by {standing.lease}"
        )
    for each in standing.holds:
        what = f"{device}/{each.stack}" if each.stack else device
        yield Text.assemble(("= ", "yellow"), (what, "bold"), f"  {each}")


def _unfinished(standings: Sequence[Standing]) -> Iterator[Text]:
    """Runs that did not do all they were to do; one that ended alike on many hosts is said once."""
    alike: dict[tuple[str, str, bool], list[tuple[str, Run]]] = {}
    for each in standings:
        if run := each.unfinished:
            key = (run.origin.run or each.device, _end(run), bool(each.lease))
            alike.setdefault(key, []).append((each.device, run))
    for (_, end, is_locked), found in alike.items():
        devices, run = [device for device, _ in found], found[0][1]
        yield Text.assemble(("! ", "red"), (", ".join(devices), "bold"), f"  the last run {end}")
        command, author = run.origin.command or "a run", run.origin.author or "somebody"
        yield Text(f"    {command} by {author}, {minute(run.time)} UTC")
        if not is_locked:
            yield Text(f"    next: paisctl plan {' '.join(devices)}")


def _end(run: Run) -> str:
    """How a run ended that did not do all it was to do."""
    how = _ENDS.get(run.outcome, run.outcome or "ended").format(generation=run.generation)
    return f"{how}: {stacks_of(run)}" if run.stacks else how


def _cells(row: Row) -> tuple[str, ...]:
    """Five columns have room in a window of 80, also with the names of a real fleet."""
    name = row.service if row.service == row.stack else f"{row.stack}/{row.service}"
    versions = dict.fromkeys(filter(None, (_tag(row.running), _tag(row.wanted))))
    differs = "drift, pending" if row.differs == "both" else row.differs
    state = f"{row.state}, {differs}" if differs else row.state
    return (row.device, name, " → ".join(versions), state, minute(row.since) or "-")


def _tag(image: str) -> str:
    return image.partition("@")[0].rpartition(":")[2]


def _summary(rows: Sequence[Row]) -> str:
    services = [row for row in rows if not (row.problem or row.asleep)]
    well = sum(row.state in ("healthy", "running") for row in services)
    well += sum(row.state == "exited (0)" and not row.differs for row in services)
    differ = sum(bool(row.differs) for row in services)
    unread = sum(bool(row.problem) for row in rows)
    disabled = sum(row.state == DISABLED for row in services)
    rest = f", {disabled} disabled" if disabled else ""
    said = f"{plural(len(services), 'service')}: {well} well{rest}, {differ} not as wanted"
    asleep = sum(bool(row.asleep) for row in rows)
    said += f"; {plural(asleep, 'host')} asleep" if asleep else ""
    return f"{said}; {plural(unread, 'host')} could not be read" if unread else said
