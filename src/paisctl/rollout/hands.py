"""What a rollout does to one member's stack: the plan for it alone, carried out and proved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from paisctl.desired import HostSpec, StackSpec
from paisctl.events import Event, Listener, Outcome, StepStarted
from paisctl.execution.conduct import Conduct
from paisctl.inventory.load import Fleet
from paisctl.manifest import manifest_line, parse_manifest
from paisctl.observed import HostState
from paisctl.operation import Operation, PassGate, ServiceOperation, Verb, WaitHealthy
from paisctl.plan import Action, Address, Cause, Change, Disruption, HostPlan, Plan, StackPlan
from paisctl.report import Report
from paisctl.rollout.events import Doing, Watcher
from paisctl.secrets import Vault
from paisctl.session import open_session
from paisctl.targets import build_targets


@dataclass(frozen=True)
class Hands:
    """Changes members, one at a time, each on a fresh look at its host.

    Attributes:
        hosts: what should be, by device.
        conduct: how to go about it. A member is never taken back by itself: once the new version
            had its data, the old one may not be able to read it.
        patience: seconds that a member may take to become healthy: as long as its gates may take.
    """

    fleet: Fleet
    hosts: Mapping[str, HostSpec]
    vault: Vault
    stack: str
    conduct: Conduct
    patience: float

    def change(
        self, device: str, watcher: Watcher, *, restart: bool, was_changed: bool
    ) -> Failure | None:
        """Bring a member to what the inventory says, or restart it.

        Args:
            device: the member.
            watcher: told what happens meanwhile.
            restart: restart it, unless it has to be brought to life anyway.
            was_changed: an earlier run has done that, and was waiting for it: one that takes long to
                become healthy must not begin anew.

        Returns:
            What went wrong; None when it is done and proved.
        """
        targets = build_targets(self.fleet, self.hosts, [device])
        hosts = {device: self.hosts[device]}
        with open_session(hosts, self.vault, targets, _ignore) as session:
            plan = session.demand([self.stack])
            if was_changed and plan.is_whole and _is_on_its_way(plan):
                return None
            if restart and not (plan and is_revival(plan.changes)):
                spec = self.hosts[device].stacks[self.stack]
                plan = _restarting(plan, spec, session.states[device], self.vault)
            if not plan:
                return _unplanned(plan)
            plan = _patient(plan, self.patience)
            results = session.apply(plan, _told(watcher), self.conduct)
            return _failure(session.report(plan, results), device)


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with a member, as its host tells it. `log` are its service's last lines."""

    message: str
    hint: str = ""
    log: tuple[str, ...] = ()


def is_revival(changes: Iterable[Change]) -> bool:
    """Whether changes only bring to life what should run anyway."""
    return all(change.field == "state" for change in changes)


def _is_on_its_way(plan: Plan) -> bool:
    return is_revival(plan.changes) and all(each.before == "unhealthy" for each in plan.changes)


def _ignore(event: Event) -> None:
    """Nobody has to know that one host is read."""


def _told(watcher: Watcher) -> Listener:
    def listen(event: Event) -> None:
        if isinstance(event, StepStarted):
            watcher(Doing(event.device, f"{event.step} {event.detail}".strip()))

    return listen


def _restarting(plan: Plan, spec: StackSpec, state: HostState, vault: Vault) -> Plan:
    """A plan that restarts all services of a stack which is as it should be."""
    [host] = plan.hosts
    if plan or not plan.is_whole:
        problem = host.problem or "the inventory has changes for it; a restart makes none"
        return Plan((HostPlan(host.device, problem=problem, hint=host.hint),))
    services = tuple(spec.services)
    operations: tuple[Operation, ...] = (
        ServiceOperation(Verb.RESTART, services),
        WaitHealthy(services, spec.health_timeout),
        *(PassGate(gate) for gate in spec.gates),
    )
    change = Change(
        Address(host.device, "compose", spec.name),
        Action.UPDATE,
        "stack",
        Cause.PENDING,
        Disruption.RESTART,
        reason="a restart was asked for",
    )
    adopted = parse_manifest(state.manifest).stacks[spec.name].adopted
    entry = manifest_line(spec, vault, adopted)
    stack = StackPlan(spec.name, (change,), operations, spec.needs, entry)
    return Plan((HostPlan(host.device, (stack,), host.notes),))


def _patient(plan: Plan, seconds: float) -> Plan:
    """The plan with another limit for becoming healthy, as the operations have it."""
    return Plan(
        tuple(
            replace(
                host,
                stacks=tuple(
                    replace(stack, operations=tuple(_limited(o, seconds) for o in stack.operations))
                    for stack in host.stacks
                ),
            )
            for host in plan.hosts
        )
    )


def _limited(operation: Operation, seconds: float) -> Operation:
    if isinstance(operation, WaitHealthy):
        return replace(operation, timeout=seconds)
    return operation


def _unplanned(plan: Plan) -> Failure | None:
    """Nothing to do is no failure: an earlier run has done it."""
    for host in plan.problems:
        return Failure(host.problem, host.hint)
    for refusal in plan.refused:
        return Failure(refusal.problem, refusal.hint)
    return None


def _failure(report: Report, device: str) -> Failure | None:
    if report.succeeded:
        return None
    result = report.results[device]
    for end in result.stacks.values():
        if end.outcome is not Outcome.APPLIED:
            at = f"{end.step}: " if end.step else ""
            return Failure(f"{at}{end.message or end.outcome}", log=end.log)
    if result.problem:
        return Failure(result.problem, result.hint)
    return Failure("it was changed, but still differs from the inventory", f"paisctl plan {device}")
