"""Services that are kept stopped (`enabled: false`), and those that are not any more. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from paisctl.operation import Verb
from paisctl.plan import Action, Cause, Change, Disruption
from paisctl.reconcile.changes import REVIVALS, Comparison, Finding
from paisctl.reconcile.operations import Needed
from paisctl.resources.container import Container

_AGAIN = "enabled again"
_WHY = "enabled: false"


def resting_findings(
    stack: Comparison, service: str, container: Container | None
) -> Iterator[Finding]:
    """What keeps a service from resting; how its container is made does not matter meanwhile."""
    was_resting = service in stack.applied.resting
    if container and container.is_up:
        change = stack.change(
            Action.MEND if was_resting else Action.UPDATE,
            f"service {service}",
            Cause.DRIFT if was_resting else Cause.PENDING,
            Disruption.DOWNTIME,
            field="state",
            values=(container.state, "stopped"),
            reason=f"started on the host, but {_WHY}" if was_resting else _WHY,
            mark=None if was_resting else stack.asked_by("enabled"),
        )
        needed = Needed({service: Verb.STOP})
        yield Finding(change, needed, stack.ignored(change.subject, change.field))
    elif not was_resting and service in stack.applied.services:
        yield Finding(_recorded(stack, service, "true", "false", _WHY))


def woken_findings(stack: Comparison, service: str, container: Container) -> Iterator[Finding]:
    """What brings a service back that has rested until now."""
    if container.is_up and container.is_well:
        yield Finding(_recorded(stack, service, "false", "true", _AGAIN))
        return
    verb = REVIVALS.get(container.state, Verb.START)
    change = stack.change(
        Action.UPDATE,
        f"service {service}",
        Cause.PENDING,
        field="state",
        values=(container.state, "running"),
        reason=_AGAIN,
        mark=stack.asked_by("enabled"),
    )
    yield Finding(change, Needed({service: verb}), stack.ignored(change.subject, change.field))


def _recorded(stack: Comparison, service: str, before: str, after: str, reason: str) -> Change:
    """It is as wanted already: only the host's manifest has to say so."""
    return stack.change(
        Action.UPDATE,
        f"service {service}",
        Cause.PENDING,
        field="enabled",
        values=(before, after),
        reason=reason,
        mark=stack.asked_by("enabled"),
    )
