"""Asking the control plane for the policy in force, and planning on it."""

from __future__ import annotations

from dataclasses import replace

from paisctl.errors import PaisctlError
from paisctl.inventory.load import Fleet
from paisctl.plan import PolicyPlan
from paisctl.rendering.tailnet.derive import Derived
from paisctl.tailnet.applying import (
    notes_on_record,
    notes_on_roads,
    require_ended,
    require_valid,
)
from paisctl.tailnet.comparison import plan_policy
from paisctl.tailnet.connect import connect, find_credentials
from paisctl.tailnet.control import ControlPlane
from paisctl.tailnet.credentials import variables
from paisctl.tailnet.tagging import notes_on_tags


def plan_in_force(fleet: Fleet, derived: Derived) -> PolicyPlan | None:
    """Read the policy in force and plan on it.

    Returns:
        None if the inventory leaves the policy to others; a plan with a note if nobody can sign in,
        with a problem if the control plane could not be asked.
    """
    if not fleet.inventory.tailnet.policy:
        return None
    try:
        require_ended(fleet)
        if find_credentials(fleet) is None:
            variable = variables(fleet.inventory.tailnet.control).partition(" ")[0]
            return PolicyPlan(notes=(f"access policy left out: no credentials ({variable})",))
        with connect(fleet) as control:
            return plan_with(control, fleet, derived)
    except PaisctlError as error:
        return PolicyPlan(problem=error.message, hint=error.hint or "")


def plan_with(control: ControlPlane, fleet: Fleet, derived: Derived) -> PolicyPlan:
    """Plan on the policy in force, and have the control plane say what it thinks of the new one.

    Machines that lack their tags are noted, for rules would not be about them; so are hosts that are
    reached past the tailnet, and a change that was cut short and still has to be ended.

    Raises:
        TailnetError: it could not be asked, or would not take the policy.
    """
    plan = plan_policy(fleet.inventory.name, derived, control.policy())
    plan = replace(plan, notes=(*notes_on_record(fleet), *plan.notes))
    if not plan.changes:
        return plan
    warnings = (f"{control.name}: {each}" for each in require_valid(control, plan.text))
    tags = notes_on_tags(control, fleet, derived)
    return replace(plan, notes=(*plan.notes, *warnings, *tags, *notes_on_roads(fleet)))
