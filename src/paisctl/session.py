"""Hosts that have been read, their connections still open: what plans are made on and applied to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType

from paisctl.desired import HostSpec
from paisctl.events import HostResult, Listener, Outcome
from paisctl.execute import execute
from paisctl.execution.batches import Pace
from paisctl.execution.conduct import Conduct
from paisctl.inventory.rollouts import Group
from paisctl.kept import kept_host
from paisctl.manifest import Manifest, UnusableManifest, parse_manifest
from paisctl.memory import remember
from paisctl.observe import observe
from paisctl.observed import HostState
from paisctl.plan import LEFT_ALONE, HostPlan, Plan
from paisctl.proof import unproven, unrestored
from paisctl.reconcile import Adoption, Scope, reconcile, reconcile_host
from paisctl.reconcile.holding import hold_back, refuse_held
from paisctl.reconcile.sleeping import with_owed
from paisctl.reconcile.together import apart, forward_only
from paisctl.report import Report
from paisctl.secrets import Vault
from paisctl.targets import Begun, Target
from paisctl.timings import stage
from paisctl.transaction import has_failed, merged, way_back


@dataclass(frozen=True)
class Session:
    """Some hosts of a fleet.

    `hosts` is what should be on them, `states` how they were when the session began. `groups` are the
    stacks whose members no plan restarts together. `skips_away` makes little of any host that cannot
    be reached, as of one that may be asleep.
    """

    hosts: Mapping[str, HostSpec]
    vault: Vault
    targets: Mapping[str, Target]
    states: Mapping[str, HostState]
    groups: Sequence[Group] = ()
    skips_away: bool = False

    def plan(self, stacks: Iterable[str] = (), scope: Scope = Scope.ALL) -> Plan:
        """Compare what should be with what is.

        Args:
            stacks: only these; none means all.
            scope: only these differences. Drift alone is what differs from what was last applied,
                whatever the inventory says.
        """
        with stage("compare"):
            return self._plan(stacks, scope)

    def _plan(self, stacks: Iterable[str], scope: Scope) -> Plan:
        plan = whole = self._compared(self.hosts, stacks, Scope.ALL)
        if scope is not Scope.ALL:
            hosts = self._applied() if scope is Scope.DRIFT else self.hosts
            part = self._compared(hosts, stacks, scope)
            plan = Plan(tuple(map(_with_note, part.hosts, whole.hosts)))
        plan = apart(plan, self.groups, self.states)
        return with_owed(plan, self.hosts, self.states, self.vault)

    def _compared(self, hosts: Mapping[str, HostSpec], stacks: Iterable[str], scope: Scope) -> Plan:
        if self.skips_away:
            hosts = {device: replace(host, required=False) for device, host in hosts.items()}
        plan = reconcile(hosts, self.states, self.vault, stacks, scope)
        return hold_back(plan, self.states)

    def demand(self, stacks: Iterable[str]) -> Plan:
        """Compare stacks that are to be changed now: who is asleep is a problem, what is held refused.

        Args:
            stacks: which.
        """
        hosts = {device: replace(host, required=True) for device, host in self.hosts.items()}
        plan = reconcile(hosts, self.states, self.vault, stacks)
        return apart(refuse_held(plan, self.states), self.groups, self.states)

    def adopt(self, device: str, stack: str, adoption: Adoption) -> Plan:
        """Compare a stack with a Compose project that somebody else has made, to take it over."""
        spec = replace(self.hosts[device], required=True)  # now: who is asleep is a problem
        state = self.states[device]
        plan = reconcile_host(spec, state, self.vault, frozenset({stack}), adoption=adoption)
        return apart(refuse_held(Plan((plan,)), self.states), self.groups, self.states)

    @property
    def applied_stacks(self) -> set[str]:
        """The names of all stacks that hosts were given."""
        return {name for state in self.states.values() for name in _manifest(state).stacks}

    def _applied(self) -> dict[str, HostSpec]:
        """What each host was last given, as desired state."""
        return {
            device: replace(
                host, stacks=kept_host(device, host.root, _manifest(self.states[device])).stacks
            )
            for device, host in self.hosts.items()
            if device in self.states
        }

    def apply(
        self,
        plan: Plan,
        listener: Listener,
        conduct: Conduct,
        *,
        transaction: bool = False,
    ) -> dict[str, HostResult]:
        """Carry a plan out. Each host is read again afterwards.

        Args:
            plan: what to do.
            listener: told what happens meanwhile.
            conduct: how to go about it.
            transaction: when a host fails, have those that are done go back, too.
        """
        conduct = replace(conduct, forward_only=forward_only(plan, self.groups))
        with stage("change hosts"):
            results = execute(plan, self.targets, self.states, self.vault, listener, conduct)
        if transaction and has_failed(results):
            back = way_back(results, self._applied(), self.vault)
            back = Plan(tuple(h for h in back.hosts if h.device not in conduct.forward_only))
            after = {host.device: results[host.device].state for host in back.hosts}
            states = {device: state for device, state in after.items() if state}
            undo = f"undo {conduct.command}"
            conduct = replace(conduct, command=undo, rollback=False, heeds_holds=False, pace=Pace())
            undone = execute(back, self.targets, states, self.vault, listener, conduct)
            results = merged(results, undone, self.states)
        return results

    def remember(
        self, plan: Plan, results: Mapping[str, HostResult], sleepers: Collection[str]
    ) -> list[str]:
        """Have required hosts remember what others were given, or owe, that may be asleep next time.

        Args:
            plan: what was carried out.
            results: how that ended.
            sleepers: the devices that are not required.

        Returns:
            The devices that could not take it.
        """
        after = {device: result.state for device, result in results.items()}
        return remember(plan, self.targets, self.states, after, sleepers)

    def report(self, plan: Plan, results: Mapping[str, HostResult]) -> Report:
        """How carrying a plan out has ended, proved by the hosts as they were read again."""
        after = {name: result.state for name, result in results.items() if result.state}
        rolled_back = {
            name: frozenset(
                s for s, end in results[name].stacks.items() if end.outcome is Outcome.ROLLED_BACK
            )
            for name in after
        }
        return Report(
            plan,
            results,
            unproven(plan, self.states, after, self.vault),
            unrestored(rolled_back, self._applied(), after, self.vault),
        )


def _with_note(part: HostPlan, whole: HostPlan) -> HostPlan:
    """Part of a host's plan, saying how much there is besides."""
    planned = {(change.address, change.subject, change.field) for change in part.changes}
    besides = [c for c in whole.changes if (c.address, c.subject, c.field) not in planned]
    counts = Counter(str(change.cause) for change in besides)
    said = ", ".join(f"{number} {cause}" for cause, number in sorted(counts.items()))
    return replace(part, notes=(*part.notes, f"{LEFT_ALONE}{said}")) if said else part


def _manifest(state: HostState) -> Manifest:
    """The manifest of a host; of one that is not to be trusted, planning says so."""
    try:
        return parse_manifest(state.manifest)
    except UnusableManifest:
        return Manifest()


@contextmanager
def open_session(
    hosts: Mapping[str, HostSpec],
    vault: Vault,
    targets: Sequence[Target],
    listener: Listener,
    *,
    texts: bool = False,
    groups: Sequence[Group] = (),
    begun: Mapping[str, Begun] = MappingProxyType({}),
    skips_away: bool = False,
) -> Iterator[Session]:
    """Connect to hosts and read them, all at once; close the connections at the end.

    Args:
        hosts: what should be on them, by device.
        vault: the secrets.
        targets: the hosts, not connected yet.
        listener: told what happens meanwhile.
        texts: also read the contents of files, for text diffs.
        groups: the stacks whose members no plan restarts together.
        begun: the hosts that are being read already.
        skips_away: whether any host may be asleep, also one that is required.
    """
    try:
        states = observe(targets, listener, texts=texts, begun=begun)
        by_device = {target.device: target for target in targets}
        yield Session(hosts, vault, by_device, states, groups, skips_away)
    finally:
        for target in targets:
            target.close()
