"""All or nothing over several hosts: when one fails, those that are done go back, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from paisctl.desired import HostSpec
from paisctl.events import HostResult, Outcome, StackEnded
from paisctl.manifest import parse_manifest
from paisctl.observed import HostState
from paisctl.plan import HostPlan, Plan
from paisctl.reconcile import reconcile_host
from paisctl.secrets import Vault

_FAILURES = (Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.STRANDED)


def has_failed(results: Mapping[str, HostResult]) -> bool:
    """Whether a stack has failed anywhere, or one was left out as a host or the whole run ended early."""
    return any(map(_has_failed, results.values()))


def _has_failed(result: HostResult) -> bool:
    outcomes = {end.outcome for end in result.stacks.values()}
    ended_early = result.problem or result.stopped
    return not outcomes.isdisjoint(_FAILURES) or bool(ended_early and Outcome.SKIPPED in outcomes)


def way_back(
    results: Mapping[str, HostResult], before: Mapping[str, HostSpec], vault: Vault
) -> Plan:
    """The plan that takes all stacks that were applied to where they were.

    A host's first generation has none before it, and a host that was lost cannot be changed: these
    are left out.

    Args:
        results: how the apply ended; the states in it are the hosts as they are now.
        before: what the hosts had been given before.
        vault: the secrets, for comparing keyed digests.
    """
    plans = (_way_back(result, before[device], vault) for device, result in results.items())
    return Plan(tuple(plan for plan in plans if plan.stacks))


def _way_back(result: HostResult, before: HostSpec, vault: Vault) -> HostPlan:
    stacks = frozenset(n for n, end in result.stacks.items() if end.outcome is Outcome.APPLIED)
    if not stacks or not before.stacks or result.state is None:
        return HostPlan(result.device)
    return reconcile_host(before, result.state, vault, stacks)


def merged(
    results: Mapping[str, HostResult],
    undone: Mapping[str, HostResult],
    before: Mapping[str, HostState],
) -> dict[str, HostResult]:
    """How both passes together have ended.

    Args:
        results: of the apply.
        undone: of the way back.
        before: the hosts as they were before both.
    """
    return {
        device: _merged(result, undone[device], before[device])
        if device in undone
        else _left(result, before[device])
        for device, result in results.items()
    }


def _merged(result: HostResult, undone: HostResult, before: HostState) -> HostResult:
    ends = {name: _undone(end) for name, end in undone.stacks.items()}
    return replace(
        undone,
        stacks={**result.stacks, **ends},
        generation=parse_manifest(before.manifest).generation,
    )


def _left(result: HostResult, before: HostState) -> HostResult:
    """A host that has not gone back; where it could not, its stacks say so."""
    if parse_manifest(before.manifest).generation:
        return result
    ends = {
        name: replace(end, message="left as it is: its host has no generation before")
        if end.outcome is Outcome.APPLIED
        else end
        for name, end in result.stacks.items()
    }
    return replace(result, stacks=ends)


def _undone(end: StackEnded) -> StackEnded:
    if end.outcome is Outcome.APPLIED:
        return replace(end, outcome=Outcome.ROLLED_BACK, message="since another host failed")
    return replace(end, outcome=Outcome.STRANDED)
