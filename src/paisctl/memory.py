"""Having hosts that are awake remember what those that sleep were given, and owe since when."""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Collection, Mapping
from dataclasses import replace

from paisctl.errors import HostError
from paisctl.hostside import COMMAND, assignments, script
from paisctl.observed import HostState
from paisctl.owing import Record, newest, record_of, remembered_by
from paisctl.plan import HostPlan, Plan
from paisctl.targets import Target
from paisctl.threads import start_thread

_KEPT = b"@paisctl kept"


def remember(
    plan: Plan,
    targets: Mapping[str, Target],
    before: Mapping[str, HostState],
    after: Mapping[str, HostState | None],
    sleepers: Collection[str],
) -> list[str]:
    """Write down what is not remembered yet, on all hosts at once that are always on.

    Args:
        plan: what was carried out.
        targets: the hosts, by device, still connected.
        before: the hosts as they were planned for.
        after: those that were read again; None for one that could not be.
        sleepers: the devices of the fleet that are not required.

    Returns:
        The devices that could not take it.
    """
    states = {**before, **after}
    records = to_remember(plan, before, states, sleepers)
    futures = []
    for device, state in states.items():
        if device not in sleepers and state and state.root:
            known = remembered_by(state)
            news = [each for each in records if not each.says_the_same(known.get(each.device))]
            if news:
                futures.append((device, start_thread(_write, (targets[device], state, news))))
    return [device for device, future in futures if not future.result()]


def to_remember(
    plan: Plan,
    before: Mapping[str, HostState],
    states: Mapping[str, HostState | None],
    sleepers: Collection[str],
) -> list[Record]:
    """What every required host should remember now, a record a device. Arguments as of `remember`."""
    known = newest(before.values())
    hosts = {host.device: host for host in plan.hosts}
    found = (_record(states.get(d), hosts.get(d), known.get(d)) for d in sleepers)
    return [record for record in found if record]


def _record(state: HostState | None, host: HostPlan | None, known: Record | None) -> Record | None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    record = known
    if state and state.root:
        seen = record_of(state)
        if seen and not (known and _is_as_known(seen, known)):
            record = replace(seen, applied=seen.applied or now)
    elif host and host.asleep and host.owed and known:
        since = (known.owed_since or now) if host.owed.stacks else ""
        record = replace(known, owed_since=since)
    if record is None or record.says_the_same(known):
        return known
    return replace(record, at=now, by=f"{getpass.getuser()}@{socket.gethostname()}")


def _is_as_known(seen: Record, known: Record) -> bool:
    """Whether there is nothing new; a run that failed since has given it nothing."""
    return seen.says_the_same(replace(known, applied=seen.applied))


def _write(asked: tuple[Target, HostState, list[Record]]) -> bool:
    target, state, records = asked
    program = "".join(
        assignments(ROOT=state.root, FOLDER="fleet", NAME=each.device, TEXT=each.to_json())
        + script("remember.sh")
        for each in records
    )
    is_root_needed = state.facts is not None and state.facts.files_sudo
    try:
        done = target.transport.run(
            f"sudo -n {COMMAND}" if is_root_needed else COMMAND, program.encode()
        )
    except HostError:
        return False
    return done.stdout.count(_KEPT) == len(records)
