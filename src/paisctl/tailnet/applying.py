"""Putting a planned policy in force, by the dead-man's switch."""

from __future__ import annotations

from pathlib import Path

from paisctl.errors import HostError, PaisctlError, PolicyMoved, PolicyRefused
from paisctl.inventory.load import Fleet
from paisctl.inventory.types import parse_duration
from paisctl.plan import PolicyPlan
from paisctl.tailnet.connect import connect
from paisctl.tailnet.control import ControlPlane, Finding, LivePolicy
from paisctl.tailnet.outcome import Listener, Result
from paisctl.tailnet.record import Record
from paisctl.tailnet.switch import Switch
from paisctl.tailnet.watch import WallClock
from paisctl.targets import ssh_settings
from paisctl.transports.ssh import SshTransport

_RECORD = Path(".paisctl", "tailnet")


def record_of(fleet: Fleet) -> Record:
    """Where a change of the policy is kept while it lasts: beside the inventory."""
    return Record(fleet.directory / _RECORD)


def require_ours(fleet: Fleet) -> None:
    """Insist on that the tailnet is the inventory's to change, as it is not for a lab.

    Raises:
        PaisctlError: it is left to others.
    """
    if not fleet.inventory.tailnet.policy:
        raise PaisctlError(
            "the inventory leaves the tailnet to others: `tailnet.policy` is false",
            "a lab's overlay says so, to keep a rehearsal away from the real tailnet",
        )


def require_ended(fleet: Fleet) -> None:
    """Insist on that no change of the policy was cut short.

    Raises:
        PaisctlError: one was; the hint says how to end it.
    """
    record = record_of(fleet)
    if record.read():
        raise record.unfinished()


def notes_on_record(fleet: Fleet) -> tuple[str, ...]:
    """What to say beside a plan while a change that was cut short waits to be ended."""
    try:
        require_ended(fleet)
    except PaisctlError as unfinished:
        return (f"{unfinished.message}: {unfinished.hint}",)
    return ()


def notes_on_roads(fleet: Fleet) -> tuple[str, ...]:
    """Which hosts prove nothing about the tailnet, since they are logged in to past it."""
    domain = fleet.inventory.tailnet.dns_name
    past = [
        name
        for name, device in fleet.devices.items()
        if device.device.deploy
        and device.device.ssh.host not in (None, device.device.address, name, f"{name}.{domain}")
    ]
    if not past:
        return ()
    return (f"reached by their `ssh.host`, perhaps past the tailnet: {', '.join(past)}",)


def require_as_planned(fleet: Fleet, plan: PolicyPlan) -> None:
    """Insist on that a plan that was made a while ago can still be carried out.

    Raises:
        PolicyMoved: somebody has changed the policy since.
        TailnetError: the control plane cannot be asked.
        PaisctlError: another change was cut short.
    """
    require_ended(fleet)
    with connect(fleet) as control:
        _same(control, plan)


def apply_policy(fleet: Fleet, plan: PolicyPlan, listener: Listener) -> Result:
    """Set the policy of a plan, and go back if a host is lost by it.

    Args:
        fleet: the fleet; all its hosts are logged in to, before and after.
        plan: what to set, and over what.
        listener: is told what happens.

    Raises:
        PolicyMoved: somebody else has changed the policy since the plan was made; nothing was done.
        PolicyRefused: the control plane would not take it; nothing was done.
        TailnetError: nothing was done.
        SwitchInterrupted: a person wanted to stop; the old policy was put back.
    """
    with connect(fleet) as control:
        live = _same(control, plan)
        require_valid(control, plan.text)
        hosts = [name for name, device in fleet.devices.items() if device.device.deploy]
        return _switch(fleet, control, listener).change_policy(plan.text, live, hosts)


def finish(fleet: Fleet, listener: Listener) -> Result:
    """End a change that was cut short: keep the new policy if every host can be reached."""
    with connect(fleet) as control:
        return _switch(fleet, control, listener).finish()


def go_back(fleet: Fleet, listener: Listener) -> Result:
    """End a change that was cut short: put the old policy back."""
    with connect(fleet) as control:
        return _switch(fleet, control, listener).go_back()


def _same(control: ControlPlane, plan: PolicyPlan) -> LivePolicy:
    live = control.policy()
    if live.etag != plan.etag:
        raise PolicyMoved(
            "the policy in force has changed since the plan was made",
            "look at what changed: paisctl acl plan",
        )
    return live


def require_valid(control: ControlPlane, text: str) -> tuple[Finding, ...]:
    """Insist on that the control plane would take a policy.

    Returns:
        Its warnings.

    Raises:
        PolicyRefused: it would not.
    """
    found = control.validate(text)
    problems = tuple(str(each) for each in found if not each.is_warning)
    if problems:
        message = f"{control.name} would not take the policy: {'; '.join(problems)}"
        raise PolicyRefused(message, problems)
    return found


def _switch(fleet: Fleet, control: ControlPlane, listener: Listener) -> Switch:
    def reach(device: str) -> str:
        """Log in over a connection of its own."""
        transport = SshTransport(ssh_settings(fleet.devices[device]))
        try:
            transport.connect()
        except HostError as error:
            return error.message
        finally:
            transport.close()
        return ""

    settings = fleet.inventory.tailnet.switch
    settle, limit = parse_duration(settings.settle), parse_duration(settings.limit)
    return Switch(control, record_of(fleet), reach, WallClock(), listener, settle, limit)
