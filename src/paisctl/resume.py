"""Going on with a saved plan: its hosts are read again, and must be as it found them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from paisctl.desired import HostSpec
from paisctl.errors import PaisctlError
from paisctl.events import Listener
from paisctl.inventory.load import Fleet
from paisctl.owing import Owed, Record, newest
from paisctl.plan import HostPlan, Plan
from paisctl.reconcile.holding import hold_back
from paisctl.saved_plan import SAVE_ANEW, SavedPlan
from paisctl.secrets import load_vault
from paisctl.session import Session, open_session
from paisctl.targets import Target, build_targets


@contextmanager
def resume(
    saved: SavedPlan,
    fleet: Fleet,
    listener: Listener,
    hosts: Mapping[str, HostSpec] | None = None,
) -> Iterator[Session]:
    """Connect to the hosts that a saved plan changes, and read them.

    Args:
        saved: the plan.
        fleet: says how to reach its hosts and where the secrets are; nothing else of it counts.
        listener: told what happens meanwhile.
        hosts: what the inventory asks for now, if hosts that have moved are to be planned anew;
            then those that could not be read before are read, too.

    Raises:
        PaisctlError: the plan is for another fleet, for a device that is not in this one any more,
            or was made with other secrets.
    """
    unread = [host.device for host in saved.plan.problems] if hosts else []
    devices = [*saved.changing, *unread]
    _require_devices(saved, fleet, devices)
    vault = load_vault(fleet.secrets_file)
    saved.require_secrets(vault)
    wanted = saved.wanted
    targets = build_targets(fleet, hosts or wanted, devices)
    if hosts:
        targets = [_with_images_of(target, wanted.get(target.device)) for target in targets]
    with open_session(hosts or wanted, vault, targets, listener) as session:
        yield session


def _with_images_of(target: Target, host: HostSpec | None) -> Target:
    """A target that is also asked for the images that the saved plan is about."""
    images = host.images if host else ()
    return replace(target, images=tuple(sorted({*target.images, *images})))


def _require_devices(saved: SavedPlan, fleet: Fleet, devices: Collection[str]) -> None:
    name = fleet.inventory.name
    if saved.fleet != name:
        raise PaisctlError(
            f"the plan is for the fleet `{saved.fleet}`, the inventory is of `{name}`",
            "name the inventory it was made with: paisctl -i FILE apply …",
        )
    for device in devices:
        known = fleet.devices.get(device)
        if known is None or not known.device.deploy:
            why = "not in the inventory any more" if known is None else "not deployed to any more"
            raise PaisctlError(f"the plan changes {device}, which is {why}", SAVE_ANEW)


def asleep_in(session: Session, fleet: Fleet, *, skips_away: bool) -> dict[str, str]:
    """The hosts that cannot be reached and need not be, with the reason.

    Args:
        session: the hosts, read again.
        fleet: says which of them are required.
        skips_away: whether none is.
    """
    return {
        device: state.problem
        for device, state in session.states.items()
        if state.is_away and (skips_away or not fleet.devices[device].device.required)
    }


def without(plan: Plan, asleep: Mapping[str, str], session: Session) -> Plan:
    """A plan without hosts that are asleep by now, which owe it, and stacks that are held by now."""
    records = newest(session.states.values())
    hosts = tuple(
        HostPlan(host.device, asleep=asleep[host.device], owed=_owed(host, records))
        if host.device in asleep and not host.asleep
        else host
        for host in plan.hosts
    )
    return hold_back(replace(plan, hosts=hosts), session.states)


def _owed(host: HostPlan, records: Mapping[str, Record]) -> Owed | None:
    """What a plan would have given a host; None if it does not say."""
    record = records.get(host.device, Record(host.device, {}, 0, ""))
    words = tuple(
        (each.name, "changed" if each.name in record.stacks or not record.applied else "new")
        if each.entry
        else (each.name, "to remove")
        for each in host.stacks
    )
    return Owed(words, record.owed_since, record.applied) if words else None


def replan(saved: SavedPlan, session: Session, moved: Collection[str]) -> Plan:
    """The saved plan, with hosts that have moved or could not be read planned anew.

    The access policy is not: it is put in force as it was shown, or not at all.
    """
    anew = {*moved, *(host.device for host in saved.plan.problems)}
    fresh = session.plan(saved.stacks, saved.scope).hosts
    by_device = {host.device: host for host in fresh if host.device in anew}
    hosts = tuple(by_device.get(host.device, host) for host in saved.plan.hosts)
    return replace(saved.plan, hosts=hosts)
