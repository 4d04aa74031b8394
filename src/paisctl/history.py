"""What a host remembers: the generations it keeps, and the runs in its audit log. Pure.

All of it may be damaged, by a power cut or by hand; what cannot be read is said to be so. Times in
the log are the host's own clock's, those of generations the clock's of who applied.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from paisctl.lease import lease_of
from paisctl.manifest import Manifest, UnusableManifest, parse_manifest
from paisctl.observed import HostState, KeptGeneration

BROKE_OFF, RUNNING, UNLOCKED = "broke off", "running", "unlocked"
HELD, RELEASED = "held", "released"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who did something, and from what. A text that was not written down is empty.

    Attributes:
        run: the name of the run.
        who: the user.
        machine: where they did it from.
        command: what they typed: `apply`, `rollback to 6`.
        revision: the git revision of the inventory.
        plan: the digest of the plan.
    """

    run: str = ""
    who: str = ""
    machine: str = ""
    command: str = ""
    revision: str = ""
    plan: str = ""

    @property
    def author(self) -> str:
        """`ann@laptop`; empty when nobody knows."""
        return f"{self.who}@{self.machine}".strip("@")


@dataclass(frozen=True, slots=True)
class Generation:
    """What one apply left on a host.

    Attributes:
        is_current: whether it is the one the host is at.
        started: when that apply began, RFC 3339; empty when unknown.
        changed: the stacks that it changed.
        stacks: all stacks that were there then.
        is_usable: whether the host has all that going back to it takes.
        problem: what is wrong with it.
    """

    number: int
    is_current: bool
    started: str = ""
    origin: Origin = Origin()
    changed: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    is_usable: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One run on one host, as its audit log tells it.

    Attributes:
        time: when it began, RFC 3339; of a run whose beginning is lost, when it ended.
        ended: when it ended; empty when it did not, or not yet.
        generation: the one the host was at afterwards, or at the beginning when there was no end.
        outcome: `applied`, `failed`, `rolled-back`, `stopped`, `stranded`; or `running`,
            `broke off`, and `unlocked` where somebody took away the lock of that run.
        stacks: how each stack of it ended.
    """

    device: str
    time: str
    origin: Origin
    generation: int | None
    outcome: str
    ended: str = ""
    stacks: Mapping[str, str] = field(default_factory=dict)


def current_generation(state: HostState) -> int:
    """The generation a host is at; 0 when nothing was applied, or its manifest is damaged."""
    return _current(state).generation


def _current(state: HostState) -> Manifest:
    try:
        return parse_manifest(state.manifest)
    except UnusableManifest:
        return Manifest()


def generations_of(state: HostState) -> list[Generation]:
    """The generations of a host that was read with its history, the newest first."""
    current = _current(state)
    found = [_generation(kept, current, state) for kept in state.generations]
    number = current.generation
    if number and number not in {generation.number for generation in found}:
        found.append(Generation(number, is_current=True, problem="nothing is kept of it"))
    return sorted(found, key=lambda generation: -generation.number)


def _generation(kept: KeptGeneration, current: Manifest, state: HostState) -> Generation:
    record = _object(kept.record)
    generation = Generation(
        kept.number,
        kept.number == current.generation,
        _text(record, "started"),
        _origin(record),
        _texts(record.get("changed")),
    )
    try:
        manifest = manifest_of(kept)
    except UnusableManifest as error:
        return replace(generation, problem=str(error))
    generation = replace(generation, stacks=tuple(manifest.stacks))
    if kept.number > current.generation:
        return replace(generation, problem="the run that began it did not finish it")
    if missing := _missing_stacks(manifest, current, state.kept_files):
        return replace(generation, problem=f"kept files are missing: {', '.join(missing)}")
    problem = "" if record else "its record.json is damaged"
    return replace(generation, is_usable=True, problem=problem)


def manifest_of(kept: KeptGeneration) -> Manifest:
    """The manifest of a generation.

    Raises:
        UnusableManifest: it is missing, damaged, or not of that generation.
    """
    manifest = parse_manifest(kept.manifest)
    if manifest.generation != kept.number:
        what = "another generation's" if manifest.generation else "missing"
        raise UnusableManifest(f"its manifest.json is {what}")
    return manifest


def _missing_stacks(manifest: Manifest, current: Manifest, kept_files: frozenset[str]) -> list[str]:
    """The stacks of a generation that are other ones now, and whose files are not all there."""
    now = {stack.revision for stack in current.stacks.values()}
    return [
        name
        for name, stack in manifest.stacks.items()
        if stack.revision not in now
        and not kept_files.issuperset(
            f"{name}/{stack.revision}/files/{path}" for path in stack.files
        )
    ]


def runs_of(state: HostState) -> list[Run]:
    """The runs in what was read of a host's audit log, in its order."""
    runs: dict[str, Run] = {}
    for number, entry in enumerate(filter(None, map(_object, state.last_runs))):
        name, event = _text(entry, "run"), entry.get("event")
        if event == "began":
            runs[name] = _run(state.device, entry, BROKE_OFF)
        elif event == "ended":
            end = _run(state.device, entry, _text(entry, "outcome"))
            began = runs.get(name)
            runs[name] = replace(end, time=began.time if began else end.time, ended=end.time)
        elif event == UNLOCKED:
            runs[f"{number} {name}"] = _run(state.device, entry, UNLOCKED)
    lease = lease_of(state)
    if lease and lease.is_held and lease.run in runs:
        runs[lease.run] = replace(runs[lease.run], outcome=RUNNING)
    return list(runs.values())


def unreadable_lines(state: HostState) -> int:
    """How many lines of the audit log say nothing that can be understood."""
    return sum(not _object(line) for line in state.last_runs if line.strip())


def last_run(state: HostState) -> Run | None:
    """The last run on a host; the removal of a lock is none."""
    runs = [run for run in runs_of(state) if run.outcome != UNLOCKED]
    return runs[-1] if runs else None


def _run(device: str, entry: Mapping[str, Any], outcome: str) -> Run:
    stacks, generation = entry.get("stacks"), entry.get("generation")
    return Run(
        device,
        _text(entry, "time"),
        _origin(entry),
        generation if isinstance(generation, int) else None,
        outcome,
        stacks={k: str(v) for k, v in stacks.items()} if isinstance(stacks, dict) else {},
    )


def _origin(record: Mapping[str, Any]) -> Origin:
    return Origin(**{each.name: _text(record, each.name) for each in fields(Origin)})


def _object(text: str) -> dict[str, Any]:
    """A JSON object; empty when it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(record: Mapping[str, Any], name: str) -> str:
    """A text on one line; empty when it is none."""
    value = record.get(name, "")
    return " ".join(value.split()) if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()
