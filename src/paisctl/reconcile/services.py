"""The services of a stack against the containers of its project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from paisctl.inventory.leaks import leak
from paisctl.manifest import sealed_environment
from paisctl.operation import Verb
from paisctl.plan import Action, Cause, Change, Disruption
from paisctl.reconcile.changes import REVIVALS, Comparison, Finding
from paisctl.reconcile.ignoring import as_applied
from paisctl.reconcile.operations import Needed
from paisctl.reconcile.resting import resting_findings, woken_findings
from paisctl.reconcile.threeway import Difference, changed_definition, differences
from paisctl.resources.compose import Fields, ServiceSpec, as_mapping, fields
from paisctl.resources.container import Container, image_fields, with_inherited
from paisctl.secrets import describe, looks_secret


def service_findings(stack: Comparison) -> Iterator[Finding]:
    """Everything about a stack's services and containers that is not as it should be."""
    for service in stack.spec.services.values():
        containers = stack.containers_of(service.name)
        for other in containers[1:]:
            yield Finding(_second(stack, service, other), _without(other))
        container = containers[0] if containers else None
        if service.name in stack.spec.resting:
            yield from resting_findings(stack, service.name, container)
        elif container is None:
            yield Finding(_missing(stack, service), Needed({service.name: Verb.CREATE}))
        else:
            yield from _changed(stack, service, container)
            if service.name in stack.applied.resting:
                yield from woken_findings(stack, service.name, container)
            else:
                yield from _not_well(stack, service, container)
    for container in stack.containers:
        if container.service not in stack.spec.services:
            yield Finding(_stray(stack, container), _without(container))


def _without(container: Container) -> Needed:
    return Needed(remove={container.id: container.name})


def _missing(stack: Comparison, service: ServiceSpec) -> Change:
    subject, downloads = f"service {service.name}", stack.download(service.image)
    has_rested = service.name in stack.applied.resting
    before = None if has_rested else stack.applied.services.get(service.name)
    if before:
        is_same = before.digest == service.digest
        also = "" if is_same else ", and its definition has changed"
        return stack.change(
            Action.MEND if is_same else Action.UPDATE,
            subject,
            Cause.DRIFT if is_same else Cause.BOTH,
            field="container",
            values=("missing", "running"),
            reason=f"its container is gone{also}",
            mark=None if is_same else stack.asked_by(),
            downloads=downloads,
        )
    return stack.change(
        Action.CREATE,
        subject,
        Cause.PENDING,
        field="image",
        values=("", service.image),
        reason="enabled again" if has_rested else "new",
        mark=stack.spec.mark,
        downloads=downloads,
    )


def _second(stack: Comparison, service: ServiceSpec, container: Container) -> Change:
    reason = f"a second container of service {service.name}"
    return stack.change(Action.DELETE, f"container {container.name}", Cause.DRIFT, reason=reason)


def _stray(stack: Comparison, container: Container) -> Change:
    """A container in the project that no service of the stack accounts for."""
    if stack.is_ours(container):
        return stack.change(
            Action.DELETE,
            f"service {container.service}",
            Cause.ORPHAN,
            Disruption.DOWNTIME,
            reason="no longer in the inventory; volumes kept",
        )
    reason = f"in project {stack.spec.project}, but not made by paisctl; volumes kept"
    return stack.change(Action.DELETE, f"container {container.name}", Cause.DRIFT, reason=reason)


def _changed(stack: Comparison, service: ServiceSpec, container: Container) -> Iterator[Finding]:
    recreated = Needed({service.name: Verb.RECREATE})
    found = _differences(stack, service, container)
    foreign = _foreign_networks(service, container, stack.spec.project)
    for difference in found:
        if difference.field == "networks" and foreign:
            needed = Needed(disconnect=[(n, container.id, container.name) for n in foreign])
            change = _difference(stack, container, difference, Disruption.NONE)
        else:
            needed = recreated
            change = _difference(stack, container, difference, Disruption.RECREATE)
        yield Finding(change, needed, stack.ignored(change.subject, change.field))
    wanted = stack.state.image_id(service.image)
    names_it = any(difference.field == "image" for difference in found)
    if wanted and wanted != container.image_id and not names_it:
        change = stack.change(
            Action.MEND,
            f"service {service.name}",
            Cause.DRIFT,
            Disruption.RECREATE,
            field="image",
            values=(_short(container.image_id), _short(wanted)),
            reason=f"{service.image} now points at another image on the host",
        )
        yield Finding(change, recreated, stack.ignored(change.subject, change.field))


def _differences(stack: Comparison, service: ServiceSpec, container: Container) -> list[Difference]:
    directory = stack.state.directory(stack.spec.name)
    before, digest = stack.applied.services.get(service.name), stack.digest_of(container)
    if service.name in stack.applied.resting:
        before = None  # it was left as it is, whatever was applied
    if digest == service.digest:
        before = service  # it was made just so, even if that apply never came to its record
    sealed = sealed_environment(service, stack.vault)
    was_sealed = stack.applied.sealed.get(service.name, {})
    wanted = fields(service, stack.spec.project, directory) | _named(sealed)
    applied = None
    if before:
        applied = fields(before, stack.spec.project, directory) | _named(was_sealed)
    image = stack.state.images.get(container.image_id, {})
    live = container.fields(image)
    live = with_inherited(live, image_fields(image), wanted)
    live = _seal(stack, live, {*sealed, *was_sealed})
    found = differences(wanted, live, applied)
    ignored = stack.ignored_fields(service.name)
    is_explained = {difference.field for difference in found} - ignored
    is_taken_as_it_is = stack.is_adopting and not digest
    if is_explained or digest == service.digest or is_taken_as_it_is:
        return found
    return found + _unseen(service, before, ignored, digest)


def _unseen(
    service: ServiceSpec, before: ServiceSpec | None, ignored: set[str], digest: str
) -> list[Difference]:
    """What differs although the container does not show it: its label is of something else."""
    made = "of another apply" if digest else "made by hand"
    if before is None:
        return [Difference("definition", Cause.PENDING, made, "as rendered")]
    definition = as_applied(service, before, ignored).definition
    if definition != before.definition:
        return changed_definition(definition, before.definition)
    # What it mounts has changed: the file's own change says so, and recreates the service.
    # Something ignored has changed: its label is of the time before that.
    if before.mounted != service.mounted or ignored:
        return []
    return [Difference("definition", Cause.DRIFT, made, "as rendered")]


def _named(sealed: Mapping[str, str]) -> Fields:
    return {f"environment {name}": digest for name, digest in sealed.items()}


def _seal(stack: Comparison, live: Fields, secret: set[str]) -> Fields:
    """Replace secret environment values by keyed digests before anything else sees them.

    A variable that paisctl does not know, but that looks like a secret, shows nothing at all.
    """
    for name, value in live.items():
        kind, _, variable = name.partition(" ")
        if kind == "environment" and variable in secret:
            live[name] = stack.vault.seal(value)
        elif (
            kind == "environment" and variable not in _plain(stack) and _is_private(variable, value)
        ):
            live[name] = "sealed:"
    return live


def _is_private(variable: str, value: str) -> bool:
    return looks_secret(variable) or leak(variable, value) is not None


def _plain(stack: Comparison) -> set[str]:
    """Variables that the bundle itself sets to something that is no secret."""
    services = stack.spec.services.values()
    return {name for s in services for name in as_mapping(s.definition.get("environment"))}


def _foreign_networks(service: ServiceSpec, container: Container, project: str) -> list[str]:
    """Networks the container was attached to by hand, if that is all that differs in them."""
    wanted = fields(service, project, "")["networks"]
    has_all = set(wanted) <= set(container.networks)
    return [n for n in container.networks if n not in wanted] if has_all else []


def _difference(
    stack: Comparison, container: Container, difference: Difference, disruption: Disruption
) -> Change:
    service = stack.spec.services[container.service]
    is_drift = difference.cause is Cause.DRIFT
    values = (difference.before, difference.after)
    reason = stack.how_changed(container) if is_drift else stack.asked_why
    if stack.is_adopting and difference.field == "mounts":
        reason = "what is in the old mounts stays there"
    if values == ("(secret)", "(secret)") and not is_drift:
        variable = difference.field.partition(" ")[2]
        value = as_mapping(service.definition.get("environment"))[variable]
        reason = f"{describe(value).strip('()')} has another value"
    return stack.change(
        Action.MEND if is_drift else Action.UPDATE,
        f"service {service.name}",
        difference.cause,
        disruption,
        field=difference.field,
        values=values,
        reason=reason,
        mark=None if is_drift else stack.asked_by(difference.field, *values),
        downloads=stack.download(service.image) if difference.field == "image" else "",
    )


def _not_well(stack: Comparison, service: ServiceSpec, container: Container) -> Iterator[Finding]:
    if container.is_well:
        return
    verb = REVIVALS.get(container.state, Verb.START)
    change = stack.change(
        Action.MEND,
        f"service {service.name}",
        Cause.DRIFT,
        Disruption.RESTART if verb is Verb.RESTART else Disruption.NONE,
        field="state",
        values=(container.state, "running"),
    )
    needed = Needed({service.name: verb})
    yield Finding(change, needed, stack.ignored(change.subject, change.field))


def _short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:12]
