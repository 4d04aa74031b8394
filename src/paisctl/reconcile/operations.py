"""From what a stack needs to the operations that do it, in a safe order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from paisctl.desired import StackSpec
from paisctl.observed import HostState
from paisctl.operation import (
    CheckFile,
    DisconnectNetwork,
    InstallFile,
    Operation,
    PassGate,
    Pull,
    RemoveContainer,
    RemoveFile,
    ServiceOperation,
    SignalService,
    TakeKept,
    Verb,
    WaitHealthy,
)
from paisctl.resources.compose import ServiceSpec, relative_mounts
from paisctl.resources.file import FileSpec

_STRENGTHS = {
    Verb.STOP: 4,
    Verb.CREATE: 3,
    Verb.RECREATE: 3,
    Verb.RESTART: 2,
    Verb.START: 1,
    Verb.UNPAUSE: 0,
}


@dataclass
class Needed:
    """What has to be done to a stack for one change, or for several."""

    services: dict[str, Verb] = field(default_factory=dict)
    files: dict[str, FileSpec] = field(default_factory=dict)
    unlink: list[str] = field(default_factory=list)
    remove: dict[str, str] = field(default_factory=dict)
    disconnect: list[tuple[str, str, str]] = field(default_factory=list)
    signals: dict[str, str] = field(default_factory=dict)

    def add(self, other: Needed) -> None:
        """Do this as well; to a service is done what does most."""
        for service, verb in other.services.items():
            now = self.services.get(service)
            if now is None or _STRENGTHS[now] < _STRENGTHS[verb]:
                self.services[service] = verb
        self.files |= other.files
        self.unlink += other.unlink
        self.remove |= other.remove
        self.disconnect += other.disconnect
        self.signals |= other.signals


def operations_for(spec: StackSpec, state: HostState, needed: Needed) -> tuple[Operation, ...]:
    """Order the work: everything that can fail without harm first, then files, then services."""
    touched = [name for name in spec.services if name in needed.services]
    touched = [name for name in touched if needed.services[name] is not Verb.STOP]
    return (
        *_pulls(spec, state, touched),
        *_taken(needed),
        *_checks(spec, state, needed),
        *(RemoveContainer(id_, name) for id_, name in needed.remove.items()),
        *(InstallFile(file) for _, file in sorted(needed.files.items())),
        *(RemoveFile(path) for path in needed.unlink),
        *(DisconnectNetwork(*each) for each in needed.disconnect),
        *_signals(needed, None),
        *_services(spec, needed),
        *_signals(needed, Verb.UNPAUSE),
        *_proofs(spec, state, needed),
    )


def _pulls(spec: StackSpec, state: HostState, touched: list[str]) -> list[Operation]:
    images = dict.fromkeys(spec.services[name].image for name in touched)
    return [Pull(image) for image in images if not state.image_id(image)]


def _taken(needed: Needed) -> Iterator[Operation]:
    """Files whose content only the host has are laid out like those that are sent to it."""
    kept = [(file.kept.revision, path) for path, file in sorted(needed.files.items()) if file.kept]
    for revision, group in groupby(sorted(kept), key=itemgetter(0)):
        yield TakeKept(revision, tuple(path for _, path in group))


def _checks(spec: StackSpec, state: HostState, needed: Needed) -> Iterator[Operation]:
    """A changed file has its whole directory checked: configs include one another.

    No image is pulled for the check of a service that rests.
    """
    directories = {path.partition("/")[0] for path in needed.files if "/" in path}
    for path, file in spec.files.items():
        if file.check and (path in needed.files or path.partition("/")[0] in directories):
            service = spec.services[file.check.service]
            if service.name in spec.resting and not state.image_id(service.image):
                continue
            yield CheckFile(path, file.check, service.image, relative_mounts(service))


def _signals(needed: Needed, verb: Verb | None) -> list[Operation]:
    """Signals to the services to which nothing else, or only `verb`, is done.

    A service that starts anew reads its files anyway; one that was only paused does not.
    """
    return [
        SignalService(service, signal)
        for service, signal in sorted(needed.signals.items())
        if needed.services.get(service) is verb
    ]


def _services(spec: StackSpec, needed: Needed) -> Iterator[Operation]:
    """Services in the order of `depends_on`, each level healthy before the next one starts.

    Before that, what is to rest is stopped, the other way round.
    """
    order = dependency_levels(spec)
    for level in reversed(order):
        if names := tuple(n for n in level if needed.services.get(n) is Verb.STOP):
            yield ServiceOperation(Verb.STOP, names)
    started = needed.services.keys() - {*spec.resting}
    levels = [[name for name in level if name in started] for level in order]
    busy = [level for level in levels if level]
    for position, level in enumerate(busy):
        for verb in Verb:
            names = tuple(name for name in level if needed.services[name] is verb)
            if names:
                yield ServiceOperation(verb, names)
        if position < len(busy) - 1:
            yield WaitHealthy(tuple(level), spec.health_timeout)


def _proofs(spec: StackSpec, state: HostState, needed: Needed) -> Iterator[Operation]:
    """What was changed must be healthy; a gate counts unless its service is down and stays so."""
    touched = {*needed.services, *needed.signals} - {*spec.resting}
    changed = [name for name in spec.services if name in touched]
    if changed:
        up = {c.service for c in state.containers if c.project == spec.project and c.is_well}
        yield WaitHealthy(tuple(changed), spec.health_timeout)
        there = {*up, *changed} - {*spec.resting}
        yield from (PassGate(gate) for gate in spec.gates if gate.service in there)


def dependency_levels(spec: StackSpec) -> list[list[str]]:
    """The services of a stack in levels: each depends only on services of earlier levels."""
    levels: list[list[str]] = []
    placed: set[str] = set()
    waiting = list(spec.services)
    while waiting:
        level = [n for n in waiting if _depends_on(spec.services[n]) & set(spec.services) <= placed]
        level = level or waiting  # a circle: Compose itself refuses it at lint
        levels.append(level)
        placed |= set(level)
        waiting = [name for name in waiting if name not in placed]
    return levels


def _depends_on(service: ServiceSpec) -> set[str]:
    return set(service.definition.get("depends_on") or [])
