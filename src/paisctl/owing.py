"""What a device that sleeps was given last, as hosts that are awake remember it. Pure.

`<root>/fleet/DEVICE.json` on every required host; the newest record counts. With it a plan says what
a device owes although nobody can ask it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from paisctl.desired import HostSpec
from paisctl.history import last_run
from paisctl.manifest import (
    Manifest,
    UnusableManifest,
    manifest_line,
    parse_manifest,
    record_line,
    revision_of,
)
from paisctl.observed import HostState
from paisctl.secrets import Vault

_PER_SERVICE = ("definition", "mounted", "sealed")
_PER_FILE = ("mode", "digest")


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of one device. Times are RFC 3339 in UTC.

    Attributes:
        stacks: the outline of each stack that it was given, by name.
        generation: the one it was at.
        applied: when it was last given something.
        owed_since: when an apply first left it out although it owed something; else empty.
        at: when this was written down.
        by: who did, `ann@laptop`.
    """

    device: str
    stacks: Mapping[str, str]
    generation: int
    applied: str
    owed_since: str = ""
    at: str = ""
    by: str = ""

    def says_the_same(self, other: Record | None) -> bool:
        """Whether another one, perhaps of another time, is of the same facts."""
        return other is not None and replace(other, at=self.at, by=self.by) == self

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Owed:
    """What a device that is asleep has yet to be given.

    Attributes:
        stacks: (name, `new` | `changed` | `to remove`) of each stack.
        since: when an apply first left it out although it owed something, RFC 3339; empty if none
            has yet.
        as_of: when it was last given something.
    """

    stacks: tuple[tuple[str, str], ...] = ()
    since: str = ""
    as_of: str = ""

    def owes(self, stack: str) -> bool:
        return stack in dict(self.stacks)


def remembered_by(state: HostState) -> dict[str, Record]:
    """What a host remembers, by device; what cannot be read is left out."""
    records = (_parse(line.partition(".json:")[2]) for line in state.remembered)
    return {record.device: record for record in records if record}


def newest(states: Iterable[HostState]) -> dict[str, Record]:
    """The newest record of each device that some hosts remember."""
    found: dict[str, Record] = {}
    for state in states:
        for device, record in remembered_by(state).items():
            if device not in found or record.at > found[device].at:
                found[device] = record
    return found


def record_of(state: HostState) -> Record | None:
    """What there is to remember of a device that was read; None if its manifest says nothing."""
    try:
        manifest = parse_manifest(state.manifest)
    except UnusableManifest:
        return None
    run = last_run(state)
    return _record(state.device, manifest, (run.ended or run.time) if run else "")


def _record(device: str, manifest: Manifest, applied: str) -> Record:
    stacks = {name: outline(stack.line) for name, stack in manifest.stacks.items()}
    return Record(device, stacks, manifest.generation, applied)


def owed_by(host: HostSpec, record: Record, vault: Vault) -> Owed:
    """What a device owes by what is remembered of it.

    Args:
        host: what should be on it.
        record: what it was given last.
        vault: for keyed digests.
    """
    wanted = {name: outline(manifest_line(s, vault)) for name, s in host.stacks.items()}
    words = {
        name: "new" if name not in record.stacks else "changed"
        for name, text in wanted.items()
        if record.stacks.get(name) != text
    }
    words |= {name: "to remove" for name in record.stacks if name not in wanted}
    return Owed(tuple(words.items()), record.owed_since if words else "", record.applied)


def outline(line: str) -> str:
    """A revision of what of a stack's entry in the manifest a plan would see as a change.

    The rest of it may differ on a device that is as wanted: which containers it has adopted, or what
    its bundle was like that renders the same.
    """
    entry = json.loads(line)
    return revision_of(
        record_line(
            {
                "services": {
                    name: {key: each[key] for key in _PER_SERVICE}
                    for name, each in entry["services"].items()
                },
                "files": {
                    path: {key: each[key] for key in _PER_FILE}
                    for path, each in entry["files"].items()
                },
                "resting": entry.get("resting", ()),
            }
        )
    )


def _parse(text: str) -> Record | None:
    try:
        data = json.loads(text)
        stacks = {str(name): str(value) for name, value in data["stacks"].items()}
        texts = {key: " ".join(str(data[key]).split()) for key in ("applied", "owed_since")}
        who = {key: " ".join(str(data[key]).split()) for key in ("device", "at", "by")}
        return Record(stacks=stacks, generation=int(data["generation"]), **texts, **who)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
