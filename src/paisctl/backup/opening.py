"""Everything that a backup command works on: the members that can be asked, and the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from paisctl.backup.definition import Definition
from paisctl.backup.events import Watcher
from paisctl.backup.make import Making, prune
from paisctl.backup.manifest import Backup, backups_in
from paisctl.backup.metrics import metrics_text, publish
from paisctl.backup.offsite import Restic
from paisctl.backup.store import Store
from paisctl.cluster.backup_driver import BackupDriver
from paisctl.cluster.claims import Claims, ourselves
from paisctl.cluster.member import HostMember
from paisctl.cluster.opening import Opened, open_members
from paisctl.cluster.place import Place, place_of
from paisctl.desired import HostSpec
from paisctl.errors import HostError, PaisctlError, UsageError
from paisctl.events import Listener, Noted
from paisctl.inventory.load import Fleet
from paisctl.observed import HostState
from paisctl.secrets import Vault
from paisctl.targets import build_targets
from paisctl.transports import Transport

T = TypeVar("T")
_LATER = "try again when that has ended"


@dataclass(frozen=True)
class Ground:
    """A backup's hosts, read.

    Attributes:
        members: those that can be asked.
        away: why others cannot, by device.
        store: where the copies are.
        host: the state of the store's host.
        transport: the connection to it.
        rollouts: the names of those of the same stack.
        open_rollouts: those of them that are not over, and the device that remembers each.
        places: the hosts that can be reached, by device.
    """

    definition: Definition
    members: list[HostMember]
    away: Mapping[str, str]
    store: Store
    host: HostState
    transport: Transport
    vault: Vault
    rollouts: Sequence[str]
    open_rollouts: Mapping[str, str]
    places: Mapping[str, Place]

    @property
    def driver(self) -> BackupDriver:
        """What knows the data, on the members that can be asked."""
        return self.definition.driver(self.members)

    @property
    def backups(self) -> list[Backup]:
        """Those in the store, the newest first."""
        return backups_in(self.store, self.definition.fleet, self.definition.name)

    @property
    def restic(self) -> Restic | None:
        """What makes the second copy; None where none is declared.

        Raises:
            HostError: there is no docker on the store's host, which it needs.
        """
        settings = self.definition.settings.offsite
        if settings is None:
            return None
        if self.host.facts is None:
            raise HostError(f"{self.host.device} has no docker for restic: {self.host.problem}")
        return Restic(
            self.transport,
            self.host.device,
            self.host.facts.docker,
            settings,
            self.vault,
            self.definition.name,
            self.definition.path,
        )

    def claim_store(self) -> Claims:
        """That nobody else writes into this backup's directory, or removes what is read; a context.

        The claim is there, so that a host will do on which paisctl owns nothing.

        Raises:
            HostError: the directory cannot be made.
        """
        name = self.definition.name
        self.store.prepare()
        place = Place(
            self.places[self.store.device].target, self.definition.settings.store.path, sudo=False
        )
        doing = f"{name} is being backed up or restored"
        return Claims([place], name, ourselves(), doing, _LATER, folder=name)

    def claim_data(self) -> list[Claims]:
        """That nobody else brings this stack's data back, or rolls it; each is a context."""
        stack, who = self.definition.settings.stack, f"a restore of {ourselves()}"
        places = [self.places[each] for each in self.definition.devices if each not in self.away]
        rolled = [
            Claims(places, name, who, f"{name} is being rolled", f"paisctl rollout {name} status")
            for name in self.rollouts
        ]
        return [
            Claims(places, stack, who, f"{stack} is in use", _LATER, folder="restores"),
            *rolled,
        ]

    def making(self, watcher: Watcher) -> Making:
        """A backup to be made."""
        return Making(self.definition, self.driver, self.store, self.away, watcher)


@contextmanager
def open_ground(
    fleet: Fleet,
    hosts: Mapping[str, HostSpec],
    vault: Vault,
    definition: Definition,
    listener: Listener,
    *,
    asks_members: bool = True,
) -> Iterator[Ground]:
    """Connect to a backup's hosts and read them; close the connections at the end.

    Args:
        fleet: the inventory.
        hosts: what should be on its devices.
        vault: the values of secrets.
        definition: the backup.
        listener: told which hosts are being read.
        asks_members: whether more than the store is needed.

    Raises:
        HostError: the store cannot be reached.
    """
    instances, at = definition.instances if asks_members else (), definition.settings.store.device
    devices = list(dict.fromkeys([*(each.device.name for each in instances), at]))
    if undeployed := [device for device in devices if device not in hosts]:
        raise UsageError(f"paisctl does not connect to {undeployed[0]}: it has `deploy: false`")
    targets = build_targets(fleet, hosts, devices)
    with open_members(instances, targets, vault, listener) as opened:
        _reach_store(opened.targets[at].transport, opened.states[at])
        yield _ground(fleet, definition, vault, opened)


def _ground(fleet: Fleet, definition: Definition, vault: Vault, opened: Opened) -> Ground:
    """What is there of hosts that were read."""
    stack, at = definition.settings.stack, definition.settings.store.device
    rollouts = [name for name, each in fleet.inventory.rollouts.items() if each.stack == stack]
    return Ground(
        definition,
        [member for each in definition.instances if (member := opened.member(each))],
        {device: why for device, why in opened.away.items() if device in definition.devices},
        Store(opened.targets[at].transport, at, definition.path),
        opened.states[at],
        opened.targets[at].transport,
        vault,
        rollouts,
        {
            name: device
            for device, state in opened.states.items()
            for name in state.open_rollouts
            if name in rollouts
        },
        {
            device: place_of(opened.targets[device], state)
            for device, state in opened.states.items()
        },
    )


def _reach_store(transport: Transport, host: HostState) -> None:
    """See to it that the store is there; without docker it can still keep files."""
    try:
        if host.problem:
            transport.connect()
    except HostError as error:
        hint = error.hint or f"is it on? ssh {host.device}"
        raise HostError(f"the store {host.device}: {error.message}", hint) from error


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        backup: None where there is none.
        removed: what was too old.
        problems: all that did not succeed, a line each, beside what the backup is missing.
    """

    backup: Backup | None
    removed: tuple[str, ...] = ()
    problems: tuple[PaisctlError, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether all was done that was to be done."""
        return self.backup is not None and not self.backup.missing and not self.problems


def run(ground: Ground, watcher: Watcher, *, offsite: bool) -> Outcome:
    """Make a backup, copy it off-site, remove what is too old, and tell Prometheus.

    Whatever fails, the steps after it that do not need it are done. The caller has the store's claim.
    """

    def say(text: str) -> None:
        watcher(Noted(text))

    problems: list[PaisctlError] = []
    definition = ground.definition
    backup = _tried(problems, lambda: ground.making(watcher).run())
    # Also when that failed: perhaps the store is full, and fewer are to be kept now.
    removed = _tried(problems, lambda: prune(definition, ground.store)) or []
    if backup is not None and offsite:
        _tried(problems, lambda: _copy_offsite(ground, backup, say))
    outcome = Outcome(backup, tuple(removed), tuple(problems))
    _tried(problems, lambda: _publish(ground, succeeded=outcome.succeeded))
    return Outcome(backup, tuple(removed), tuple(problems))


def _tried(problems: list[PaisctlError], step: Callable[[], T]) -> T | None:
    """What a step gives; None when it failed, which is one more problem then."""
    try:
        return step()
    except PaisctlError as error:
        if str(error) not in map(str, problems):  # one cause stops several steps
            problems.append(error)
        return None


def _copy_offsite(ground: Ground, backup: Backup, say: Callable[[str], None]) -> None:
    if restic := ground.restic:
        restic.copy(backup, ground.definition.settings.keep, say)


def _publish(ground: Ground, *, succeeded: bool) -> None:
    if not ground.host.root:  # it could not be read
        return
    try:
        _tell(ground, succeeded=succeeded)
    except HostError:  # a backup takes long enough for a connection to break
        ground.transport.close()
        _tell(ground, succeeded=succeeded)


def _tell(ground: Ground, *, succeeded: bool) -> None:
    definition, now = ground.definition, int(datetime.now(UTC).timestamp())
    text = metrics_text(
        definition.name, definition.settings, ground.backups, at=now, succeeded=succeeded
    )
    publish(ground.transport, ground.host, definition.name, text)
