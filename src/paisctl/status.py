"""What runs where, reduced to one row per service; and what has become of the last run. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from paisctl.desired import HostSpec, StackSpec
from paisctl.history import RUNNING, Run, last_run
from paisctl.hold import Hold, holds_of
from paisctl.lease import Lease, lease_of
from paisctl.observed import HostState
from paisctl.owing import Owed
from paisctl.plan import Address, Cause, Change, Plan
from paisctl.resources.container import Container

DISABLED = "disabled"  # stopped, as the inventory has it: `enabled: false`
HELD = "held"  # in place of a cause: it differs, and is left alone


@dataclass(frozen=True, slots=True)
class Row:
    """One service on one host. A host that could not be read has one row with a `problem`.

    `state` is as Docker has it, `missing`, or `disabled` for what rests as it should.
    `wanted` and `running` are image references, `since` is when it was started (RFC 3339),
    `differs` is `pending`, `drift`, `both`, `orphan`, `refused`, `held` or empty. A host that is asleep has one
    row with the reason in `asleep`, and what it owes, if anybody knows.
    """

    device: str
    stack: str = ""
    service: str = ""
    wanted: str = ""
    running: str = ""
    state: str = ""
    differs: str = ""
    since: str = ""
    problem: str = ""
    asleep: str = ""
    owed: Owed | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a host stands apart from its services.

    `lease` is its lock while somebody holds it; `unfinished` its last run, unless that one did all
    it was to do or still goes on. `holds` are what nobody may change on it for now.
    """

    device: str
    lease: Lease | None
    unfinished: Run | None
    holds: tuple[Hold, ...] = ()


def standings(states: Mapping[str, HostState]) -> list[Standing]:
    """How the hosts stand that were read, in order."""
    return [_standing(state) for state in states.values() if state.root]


def _standing(state: HostState) -> Standing:
    lease, run = lease_of(state), last_run(state)
    is_done = run is None or run.outcome in ("applied", RUNNING)
    held = lease if lease and lease.is_held else None
    return Standing(state.device, held, None if is_done else run, holds_of(state))


def survey(
    hosts: Mapping[str, HostSpec],
    states: Mapping[str, HostState],
    plan: Plan,
    stacks: Collection[str] = (),
) -> list[Row]:
    """Rows for the hosts that were read, in the inventory's order; `stacks` limits them."""
    problems = {host.device: host.problem for host in plan.problems}
    asleep = {host.device: host for host in plan.asleep}
    rows = []
    for device, state in ((name, states[name]) for name in hosts if name in states):
        if device in problems:
            rows.append(Row(device, problem=problems[device]))
            continue
        if host := asleep.get(device):
            rows.append(Row(device, asleep=host.asleep, owed=host.owed))
            continue
        for stack in hosts[device].stacks.values():
            if not stacks or stack.name in stacks:
                rows += _wanted(stack, state, plan)
        rows += [r for r in _unwanted(hosts[device], state) if not stacks or r.stack in stacks]
    return rows


def _wanted(stack: StackSpec, state: HostState, plan: Plan) -> Iterator[Row]:
    for name, service in stack.services.items():
        container = _container(state, stack.project, name)
        yield Row(
            stack.device,
            stack.name,
            name,
            service.image,
            str(container.inspected["Config"]["Image"]) if container else "",
            _state(container, rests=name in stack.resting),
            _differs(plan, stack, name),
            container.started_at if container else "",
        )


def _state(container: Container | None, *, rests: bool) -> str:
    if rests and not (container and container.is_up):
        return DISABLED
    return container.state if container else "missing"


def _container(state: HostState, project: str, service: str) -> Container | None:
    fits = (c for c in state.containers if c.project == project and c.service == service)
    return next((c for c in fits if not c.is_one_off), None)


def _differs(plan: Plan, stack: StackSpec, service: str) -> str:
    """The cause of the service's changes; a changed file counts for every service of its stack."""
    if any(each.address == Address(stack.device, "compose", stack.name) for each in plan.refused):
        return "refused"
    if any(_is_about(change, stack, service) for change in plan.held_changes):
        return HELD
    causes = {change.cause for change in plan.changes if _is_about(change, stack, service)}
    if {Cause.PENDING, Cause.DRIFT} <= causes:
        return str(Cause.BOTH)
    return str(min(causes)) if causes else ""


def _is_about(change: Change, stack: StackSpec, service: str) -> bool:
    is_here = (change.address.device, change.address.name) == (stack.device, stack.name)
    of_all = not change.subject.startswith("service ")
    return is_here and (of_all or change.subject == f"service {service}")


def _unwanted(host: HostSpec, state: HostState) -> Iterator[Row]:
    """Containers that paisctl made and that nothing asks for any more."""
    for container in state.containers:
        stack = host.stacks.get(container.stack)
        if container.stack and not (stack and container.service in stack.services):
            image = str(container.inspected["Config"]["Image"])
            yield Row(
                host.device,
                container.stack,
                container.service,
                "",
                image,
                container.state,
                str(Cause.ORPHAN),
                container.started_at,
            )
