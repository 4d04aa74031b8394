"""Desired and observed state to a plan. Pure: no I/O, no clock, no randomness, no questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from paisctl.desired import HostSpec, StackSpec
from paisctl.manifest import Manifest, NewerManifest, UnusableManifest, parse_manifest
from paisctl.observed import HostState
from paisctl.plan import Cause, HostPlan, Plan, Refusal
from paisctl.reconcile.adoption import Adoption, unadoptable
from paisctl.reconcile.changes import Comparison, Scope
from paisctl.reconcile.orphans import plan_orphans
from paisctl.reconcile.owner import foreign_owner, foreign_project, with_new_name
from paisctl.reconcile.stack import plan_stack
from paisctl.secrets import Vault

__all__ = ["Adoption", "Scope", "in_order", "reconcile", "reconcile_host"]


def reconcile(
    hosts: Mapping[str, HostSpec],
    states: Mapping[str, HostState],
    vault: Vault,
    stacks: Iterable[str] = (),
    scope: Scope = Scope.ALL,
) -> Plan:
    """Plan a fleet.

    Args:
        hosts: what should be, by device.
        states: what is, by device; a device that is not in it is left out of the plan.
        vault: the secrets, for comparing keyed digests.
        stacks: plan only these stacks; none means all.
        scope: plan only these differences. To mend drift and nothing else, `Scope.DRIFT` with
            what each host was given last as what should be (`paisctl.kept`).
    """
    chosen = frozenset(stacks)
    return Plan(
        tuple(
            reconcile_host(spec, states[device], vault, chosen, scope)
            for device, spec in hosts.items()
            if device in states
        )
    )


def reconcile_host(
    spec: HostSpec,
    state: HostState,
    vault: Vault,
    chosen: frozenset[str] = frozenset(),
    scope: Scope = Scope.ALL,
    adoption: Adoption | None = None,
) -> HostPlan:
    """Plan one host; `chosen` limits it to some stacks, empty means all.

    With an `adoption`, projects that somebody else has made are taken over; else they are refused.
    """
    if state.is_away and not spec.required:
        return HostPlan(spec.device, asleep=state.problem)
    if state.problem:
        return HostPlan(spec.device, problem=state.problem, hint=state.hint)
    try:
        manifest = parse_manifest(state.manifest)
    except UnusableManifest as error:
        return _unusable(error, spec, state)
    foreign = foreign_owner(spec, manifest)
    if foreign:
        return foreign
    wanted = [
        _comparison(spec, stack, state, manifest, vault, is_adopting=bool(adoption))
        for stack in in_order(spec.stacks)
        if not chosen or stack.name in chosen
    ]
    refused = _refused(wanted, adoption)
    planned = [plan_stack(each, scope) for each in wanted if each.spec.name not in refused]
    plans = [each.plan for each in planned]
    if scope.covers(Cause.PENDING):
        plans = with_new_name(spec, manifest, plans)
    if scope.covers(Cause.ORPHAN):
        orphans = list(plan_orphans(spec, state, manifest, chosen))
        plans += [each.plan for each in orphans]
        planned += orphans
    notes = (*state.notes, *(note for each in planned for note in each.notes))
    changing = tuple(plan for plan in plans if plan.changes)
    # What only removes what is gone asks nothing of the stacks that are wanted.
    refusals = () if scope is Scope.ORPHAN else tuple(refused.values())
    return HostPlan(spec.device, changing, notes, refused=refusals)


def _refused(wanted: Sequence[Comparison], adoption: Adoption | None) -> dict[str, Refusal]:
    """The stacks that are not ours to change, by name."""
    return {
        each.spec.name: refusal
        for each in wanted
        if (refusal := unadoptable(each, adoption) if adoption else foreign_project(each))
    }


def _unusable(error: UnusableManifest, spec: HostSpec, state: HostState) -> HostPlan:
    """Without its manifest nothing on a host can be told to be ours."""
    hint = (
        "upgrade paisctl on this machine"
        if isinstance(error, NewerManifest)
        else f"move {state.root}/manifest.json away on {spec.device}; "
        "the next plan then compares with what runs"
    )
    return HostPlan(spec.device, problem=str(error), hint=hint)


def _comparison(
    spec: HostSpec,
    stack: StackSpec,
    state: HostState,
    manifest: Manifest,
    vault: Vault,
    *,
    is_adopting: bool,
) -> Comparison:
    ignored = [each for each in spec.ignored if each.stack == stack.name]
    applied = manifest.stacks.get(stack.name)
    return Comparison(stack, state, applied, vault, ignored, is_adopting=is_adopting)


def in_order(stacks: Mapping[str, StackSpec]) -> list[StackSpec]:
    """The stacks of a host, each after those on the same host that it needs."""
    ordered: dict[str, StackSpec] = {}

    def place(stack: StackSpec, waiting: frozenset[str]) -> None:
        for device, name in stack.needs:
            if device == stack.device and name in stacks and name not in waiting:
                place(stacks[name], waiting | {name})
        ordered.setdefault(stack.name, stack)

    for stack in stacks.values():
        place(stack, frozenset({stack.name}))
    return list(ordered.values())
