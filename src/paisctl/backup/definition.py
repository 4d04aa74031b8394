"""What is backed up, by what, and where to: a backup of the inventory, with its bundle's part."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from paisctl.backup.dumps import DumpDriver
from paisctl.cluster.backup_driver import BackupDriver
from paisctl.cluster.loading import load_driver
from paisctl.cluster.member import Member
from paisctl.diagnostics import did_you_mean
from paisctl.errors import UsageError
from paisctl.inventory.backups import BackupPlan
from paisctl.inventory.load import Fleet
from paisctl.rendering.bundle import BundleBackup
from paisctl.rendering.graph import Graph
from paisctl.rendering.instances import Instance


@dataclass(frozen=True)
class Definition:
    """One backup.

    Attributes:
        fleet: its name.
        instances: the members, in the order of the backup's `devices`.
    """

    fleet: str
    name: str
    settings: BackupPlan
    bundle: BundleBackup
    instances: Sequence[Instance]

    @property
    def devices(self) -> list[str]:
        return [instance.device.name for instance in self.instances]

    @property
    def path(self) -> str:
        """The directory in the store that its copies are below."""
        return f"{self.settings.store.path}/{self.name}"

    @property
    def digest(self) -> str:
        """Of the bundle."""
        return self.instances[0].stack.digest

    def driver(self, members: Sequence[Member]) -> BackupDriver:
        """What knows the data: the driver in its bundle, or the commands that the bundle declares."""
        if self.bundle.driver is None:
            return DumpDriver(members, self.bundle.dumps, self._images())
        module = load_driver(self.instances[0].stack.folder, self.bundle.driver)
        driver: BackupDriver = module.backup(members)
        return driver

    def _images(self) -> dict[str, str]:
        """The software that the inventory wants on each member, as its images' references."""
        return {
            each.device.name: ", ".join(sorted(each.images.values())) for each in self.instances
        }


def define(fleet: Fleet, graph: Graph, name: str) -> Definition:
    """The backup with a name.

    Raises:
        UsageError: the inventory has none with that name.
    """
    backups = fleet.inventory.backups
    if name not in backups:
        raise UsageError(f"the inventory has no backup `{name}`", _known(backups, name))
    settings = backups[name]
    running = {each.device.name: each for each in graph.of_stack(settings.stack)}
    instances = [running[device] for device in settings.devices or running]
    bundle = instances[0].stack.bundle.backup
    assert bundle is not None  # noqa: S101 # lint has seen to it
    return Definition(fleet.inventory.name, name, settings, bundle, instances)


def _known(backups: Collection[str], name: str) -> str:
    return did_you_mean(name, backups, "backups") if backups else "declare it: `backups:`"
