"""Going back to a generation that hosts keep: what it had becomes what should be.

Nothing of the inventory counts but how its hosts are reached and where the secrets are, so that it
works with any version of it, from any machine, and although it does not render any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from paisctl.desired import HostSpec
from paisctl.diagnostics import did_you_mean
from paisctl.errors import HostError, UsageError
from paisctl.events import Listener
from paisctl.history import Generation, manifest_of
from paisctl.inventory.load import Fleet
from paisctl.inventory.rollouts import groups_of
from paisctl.kept import kept_host
from paisctl.observe import observe
from paisctl.observed import HostState
from paisctl.operation import TakeKept
from paisctl.plan import HostPlan, Plan
from paisctl.reconcile import reconcile_host
from paisctl.reconcile.holding import refuse_held
from paisctl.reconcile.together import apart
from paisctl.rendering.render import bare_host
from paisctl.rollback_aim import describe_plan, find_aim
from paisctl.secrets import load_vault
from paisctl.session import Session
from paisctl.targets import Target, build_targets


@dataclass(frozen=True)
class Rollback:
    """Hosts that were read with what they remember, and where each of them would go.

    `session` has as desired what those generations had; `aims` are the generations by device,
    `refused` the hosts that cannot go back, with the reason.
    """

    session: Session
    aims: Mapping[str, Generation]
    refused: Mapping[str, HostPlan]

    @property
    def revision(self) -> str:
        """The git revision that all aims were made from; empty when there is no such one."""
        revisions = {aim.origin.revision for aim in self.aims.values()}
        return revisions.pop() if len(revisions) == 1 else ""

    @property
    def command(self) -> str:
        """What is done, for logs: `rollback to 6`, or `rollback` where numbers differ."""
        numbers = {aim.number for aim in self.aims.values()}
        return f"rollback to {numbers.pop()}" if len(numbers) == 1 else "rollback"

    def plan(self, stacks: Collection[str] = ()) -> Plan:
        """What going back would change.

        Args:
            stacks: only these; none means all.

        Raises:
            UsageError: one of the stacks is on none of the hosts, now or then.
        """
        self._require(stacks)
        plan = Plan(tuple(self._host(device, stacks) for device in self.session.states))
        hint = "name one device: paisctl rollback DEVICE"
        plan = refuse_held(plan, self.session.states)
        return apart(plan, self.session.groups, self.session.states, hint)

    def _require(self, stacks: Collection[str]) -> None:
        known = {name for host in self.session.hosts.values() for name in host.stacks}
        for state in self.session.states.values():
            known.update(container.stack for container in state.containers if container.stack)
        for stack in stacks:
            if self.aims and stack not in known:
                hint = did_you_mean(stack, known, "stacks")
                raise UsageError(f"no generation in question has a stack `{stack}`", hint)

    def _host(self, device: str, stacks: Collection[str]) -> HostPlan:
        if device in self.refused:
            return self.refused[device]
        session, aim = self.session, self.aims[device]
        state = session.states[device]
        plan = reconcile_host(session.hosts[device], state, session.vault, frozenset(stacks))
        if missing := _missing(plan, state):
            said = f"kept files are missing: {', '.join(missing)}"
            problem = f"there is no way back to generation {aim.number}: {said}"
            return HostPlan(device, problem=problem, hint=f"paisctl history {device}")
        return describe_plan(plan, aim, state, session.vault)


def _missing(plan: HostPlan, state: HostState) -> list[str]:
    """The stacks for which the host does not have all files that their plan takes."""
    return [
        stack.name
        for stack in plan.stacks
        for operation in stack.operations
        if isinstance(operation, TakeKept)
        and not state.kept_files.issuperset(
            f"{stack.name}/{operation.revision}/files/{path}" for path in operation.paths
        )
    ]


@contextmanager
def open_rollback(
    fleet: Fleet,
    devices: Sequence[str],
    listener: Listener,
    number: int | None = None,
    *,
    texts: bool = False,
) -> Iterator[Rollback]:
    """Connect to hosts and read them with what they remember; close the connections at the end.

    Args:
        fleet: says how to reach them, and where the secrets are.
        devices: which hosts.
        listener: told what happens meanwhile.
        number: the generation to go back to; None for each host's own before its current one.
        texts: also read the contents of files, for text diffs.
    """
    vault, targets = load_vault(fleet.secrets_file), bare_targets(fleet, devices)
    try:
        states = observe(targets, listener, texts=texts, history=True)
        aims, refused = _aims(states, number)
        hosts = {device: _aimed_at(fleet, states[device], aim) for device, aim in aims.items()}
        ready = {
            t.device: replace(t, images=hosts[t.device].images) if t.device in hosts else t
            for t in targets
        }
        session = Session(hosts, vault, ready, states, groups_of(fleet))
        yield Rollback(session, aims, refused)
    finally:
        for target in targets:
            target.close()


def remember(fleet: Fleet, devices: Sequence[str], listener: Listener) -> dict[str, HostState]:
    """Read hosts with what they remember, all at once; by device, in the order of `devices`."""
    targets = bare_targets(fleet, devices)
    try:
        return observe(targets, listener, history=True)
    finally:
        for target in targets:
            target.close()


def bare_targets(fleet: Fleet, devices: Sequence[str]) -> list[Target]:
    """The hosts as things to connect to, whatever they should have on them."""
    hosts = {name: bare_host(fleet, fleet.devices[name]) for name in devices}
    return build_targets(fleet, hosts, devices)


def _aims(
    states: Mapping[str, HostState], number: int | None
) -> tuple[dict[str, Generation], dict[str, HostPlan]]:
    aims, refused = {}, {}
    for device, state in states.items():
        try:
            aims[device] = find_aim(state, number)
        except HostError as error:
            refused[device] = HostPlan(device, problem=error.message, hint=error.hint or "")
    return aims, refused


def _aimed_at(fleet: Fleet, state: HostState, aim: Generation) -> HostSpec:
    [kept] = [kept for kept in state.generations if kept.number == aim.number]
    kept_stacks = kept_host(state.device, state.root, manifest_of(kept)).stacks
    return replace(bare_host(fleet, fleet.devices[state.device]), stacks=kept_stacks)
