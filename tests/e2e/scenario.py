"""One thing that changes on a fleet where all is as wanted, and what paisctl must make of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.rehearsal import Rehearsal

Ids = dict[tuple[str, str], str]
Found = tuple[str, str, str, str]  # (device/stack, action, subject, field)


@dataclass(frozen=True)
class Scenario:
    """What is done, and what the plan must then say.

    `overlay` is laid over the inventory, `by_hand` is done on the hosts. `expected` are the only
    changes of the plan; `renewed` the only containers, by device and name, that may be others
    after the apply, `gone` those that must be gone.
    """

    name: str
    expected: frozenset[Found]
    overlay: Mapping[str, Any] = field(default_factory=dict)
    by_hand: Callable[[Rehearsal], None] | None = None
    renewed: frozenset[tuple[str, str]] = frozenset()
    gone: frozenset[tuple[str, str]] = frozenset()
    cause: str = "drift"


def plan(fleet: Rehearsal, *devices: str, overlay: Path | None = None) -> list[dict[str, Any]]:
    """The changes that `paisctl plan --json` names, for some devices or for all."""
    completed = fleet.paisctl("plan", "--json", *devices, overlay=overlay)
    assert completed.returncode == 0, completed.stderr + completed.stdout
    hosts = json.loads(completed.stdout)["hosts"]
    return [change for host in hosts for stack in host["stacks"] for change in stack["changes"]]


def found(changes: list[dict[str, Any]]) -> set[Found]:
    return {
        (
            change["address"].replace("compose:", ""),
            change["action"],
            change["subject"],
            change["field"] or "",
        )
        for change in changes
    }


def apply(fleet: Rehearsal, *devices: str, overlay: Path | None = None) -> str:
    """Apply to some devices or to all; it must succeed. Returns what it printed."""
    completed = fleet.paisctl("apply", "--yes", *devices, overlay=overlay)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def play(fleet: Rehearsal, scenario: Scenario, folder: Path) -> None:
    """Do it, plan, apply, and look at the engines: only that is mended, nothing else touched."""
    overlay = folder / f"{scenario.name}.yaml"
    overlay.write_text(
        yaml.safe_dump(dict(scenario.overlay)) if scenario.overlay else "name: pais\n"
    )
    before = fleet.container_ids()
    if scenario.by_hand:
        scenario.by_hand(fleet)
    changes = plan(fleet, overlay=overlay)
    assert found(changes) == scenario.expected
    assert {change["cause"] for change in changes} == {scenario.cause}

    apply(fleet, overlay=overlay)

    after = fleet.container_ids()
    assert others(before, after) == scenario.renewed
    assert before.keys() - after.keys() == scenario.gone
    assert plan(fleet, overlay=overlay) == []


def others(before: Ids, after: Ids) -> set[tuple[str, str]]:
    """Containers that exist now and are not the same as before."""
    return {key for key, container in after.items() if before.get(key) != container}
