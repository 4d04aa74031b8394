"""Taking over a Compose project that somebody else has made, as it runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from paisctl.operation import Verb
from paisctl.plan import Action, Cause, Change, Refusal
from paisctl.reconcile.changes import Comparison
from paisctl.reconcile.operations import Needed
from paisctl.resources.compose import fields
from paisctl.resources.container import Container

_AS_IT_RUNS = "adopted as it runs"


@dataclass(frozen=True, slots=True)
class Adoption:
    """What somebody agrees to who takes a project over.

    `new_mounts`: containers may get other mounts than those that their data is in.
    """

    new_mounts: bool = False


def unadoptable(stack: Comparison, adoption: Adoption) -> Refusal | None:
    """Why a project cannot be taken over."""
    device, name = stack.spec.device, stack.spec.name
    if stack.was_applied:
        problem = "paisctl manages it already: there is nothing to adopt"
        return Refusal(stack.address, problem, f"paisctl plan {device} --stack {name}")
    if not stack.containers:
        problem = f"there is no Compose project `{stack.spec.project}`: there is nothing to adopt"
        return Refusal(stack.address, problem, f"paisctl apply {device} --stack {name}")
    strays = sorted({c.service for c in stack.containers} - stack.spec.services.keys())
    if strays:
        known = ", ".join(stack.spec.services)
        problem = f"the project also has {', '.join(strays)}, which the stack does not have"
        hint = f"move that to a project of another name, or remove it; the stack has: {known}"
        return Refusal(stack.address, problem, hint)
    lost = [] if adoption.new_mounts else list(_lost_mounts(stack))
    if lost:
        hint = (
            "bring the data over first, or mount what is mounted now; to leave it behind and start "
            "with other mounts: --accept-new-mounts"
        )
        return Refusal(stack.address, f"data would be left behind: {'; '.join(lost)}", hint)
    return None


def _lost_mounts(stack: Comparison) -> Iterator[str]:
    """What a container may have written to that its successor would not see, in words."""
    for service in stack.spec.services.values():
        directory = stack.state.directory(stack.spec.name)
        texts = fields(service, stack.spec.project, directory)["mounts"]
        wanted = {target: source for source, target, _ in map(_mount, texts)}
        writable = {target for _, target, is_writable in map(_mount, texts) if is_writable}
        for container in stack.containers_of(service.name):
            if container.digest:
                continue  # made by paisctl, with these mounts
            live = container.fields(stack.state.images.get(container.image_id, {}))["mounts"]
            now = {target: source for source, target, _ in map(_mount, live)}
            for source, target, is_writable in map(_mount, live):
                then = wanted.get(target)
                if then != source and (is_writable or target in writable):
                    would = f"would be {then}" if then else "would not be mounted"
                    yield f"{container.name} has {target} in {source}, which {would}"
            for target in sorted(writable - now.keys()):
                yield f"{container.name} has {target} in itself, which would be {wanted[target]}"


def _mount(text: str) -> tuple[str, str, bool]:
    """`source:target` or `source:target:ro` as source, target and whether it can be written."""
    source, _, target = text.removesuffix(":ro").rpartition(":")
    return source, target, not text.endswith(":ro")


def adopted_after(stack: Comparison, needed: Needed) -> dict[str, str]:
    """The containers of others that a stack goes on with, by ID, and what each is like.

    Args:
        stack: the stack.
        needed: what is done to it; what is made anew by that has a label of its own.
    """
    made = {n for n, verb in needed.services.items() if verb in (Verb.CREATE, Verb.RECREATE)}
    kept = {}
    for service in stack.spec.services.values():
        for container in stack.containers_of(service.name)[:1]:
            if container.digest or service.name in made:
                continue
            if container.id in stack.applied.adopted:
                kept[container.id] = stack.applied.adopted[container.id]
            elif stack.is_adopting and service.name not in stack.spec.resting:
                kept[container.id] = service.digest
    return kept


def adoption_changes(stack: Comparison, kept: Mapping[str, str]) -> Iterator[Change]:
    """That containers are gone on with, for people; nothing is done to them."""
    by_id: Mapping[str, Container] = {c.id: c for c in stack.containers}
    for identity in kept:
        container = by_id[identity]
        yield stack.change(
            Action.UPDATE,
            f"service {container.service}",
            Cause.PENDING,
            field="container",
            values=("", container.name),
            reason=_AS_IT_RUNS,
            mark=stack.spec.mark,
        )
