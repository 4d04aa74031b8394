"""Whether the backups of an inventory can be made, and whether anybody would notice if they were not."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from paisctl.diagnostics import Diagnostics, did_you_mean
from paisctl.inventory.backups import RESERVED, BackupPlan
from paisctl.inventory.load import Fleet
from paisctl.inventory.tailnet import SecretName
from paisctl.rendering.bundle import StackBundle
from paisctl.rendering.catalog import Catalog
from paisctl.rendering.checks.declared import DeclaredCheck
from paisctl.rendering.checks.mounts import METRICS, collects_metrics, network_mount
from paisctl.rendering.checks.stack import Stack
from paisctl.rendering.graph import Graph


def check_backups(
    fleet: Fleet,
    catalog: Catalog,
    graph: Graph,
    stacks: Sequence[Stack],
    diagnostics: Diagnostics,
) -> None:
    """Check that each names a stack that says how, devices that run it, a store, and known secrets."""
    watched = {each.instance.device.name for each in stacks if collects_metrics(each)}
    for name, plan in fleet.inventory.backups.items():
        check = _Check(fleet, "backups", name, diagnostics)
        check.name_is_free()
        if check.stack(plan, catalog):
            running = {each.device.name: each for each in graph.of_stack(plan.stack)}
            check.members(plan.stack, plan.devices, running)
            check.leaves_nothing_out(plan, catalog.stacks[plan.stack].bundle, running)
        check.store(plan, watched)
        check.schedule(plan)
        check.secrets(plan)


class _Check(DeclaredCheck):
    def name_is_free(self) -> None:
        if self.name in RESERVED:
            message = f"a backup cannot be called `{self.name}`"
            hint = f"`paisctl backup {self.name}` means something else; take another name"
            self.error("reserved-name", message, hint=hint)

    def stack(self, plan: BackupPlan, catalog: Catalog) -> bool:
        """Check that it can be backed up; whether there is such a stack."""
        found = self.find(plan.stack, catalog)
        if found is None:
            return False
        if found.bundle.backup is None:
            message = f"the stack `{plan.stack}` does not say how it is backed up"
            hint = f"add `backup:` to {found.folder / 'bundle.yaml'}"
            self.error("no-backup", message, "stack", hint=hint)
        return True

    def leaves_nothing_out(
        self, plan: BackupPlan, bundle: StackBundle, running: Collection[str]
    ) -> None:
        """Check that all of a cluster is backed up: data that its nodes share may be on any of them."""
        left_out = [device for device in running if device not in (plan.devices or running)]
        if left_out and bundle.backup and bundle.backup.driver:
            self.error(
                "part-of-a-cluster",
                f"`{self.name}` leaves out {', '.join(left_out)}, where data of the same cluster is",
                "devices",
                hint="take `devices` out: then all devices that run the stack are backed up",
            )

    def store(self, plan: BackupPlan, watched: set[str]) -> None:
        store, at = plan.store.device, ("store", "device")
        device = self.fleet.devices.get(store)
        if device is None:
            self.unknown_device(store, *at)
            return
        if not device.device.deploy:
            # Not an error: a rehearsal may leave it out. The command says so then.
            message = (
                f"`{self.name}` cannot be made: paisctl does not reach {store} (`deploy: false`)"
            )
            self.warning("backup-unreachable", message, *at, hint="take another device, or set it")
            return
        mount = network_mount(device, plan.store.path)
        if mount:
            self.error(
                "backup-on-network",
                f"{plan.store.path} on {store} is under the network mount {mount}",
                *("store", "path"),
                hint="name the machine that has the disks as the store's device",
            )
        if store not in watched:
            self.warning(
                "backup-unwatched",
                f"no alert can tell whether `{self.name}` is made: nothing on {store} shows its metrics",
                *at,
                hint=f"let {store} run a stack that mounts `{METRICS}`, as node-exporter's does",
            )

    def schedule(self, plan: BackupPlan) -> None:
        if plan.schedule and plan.schedule.device not in self.fleet.devices:
            self.unknown_device(plan.schedule.device, "schedule", "device")

    def secrets(self, plan: BackupPlan) -> None:
        if plan.offsite is None:
            return
        given: list[tuple[tuple[str, ...], str | SecretName]] = [
            (("password",), plan.offsite.password),
            *((("environment", name), v) for name, v in plan.offsite.environment.items()),
        ]
        for at, value in given:
            if not isinstance(value, str) and value.secret not in self.fleet.inventory.secrets:
                hint = did_you_mean(value.secret, self.fleet.inventory.secrets, "secrets")
                message = f"unknown secret `{value.secret}`"
                self.error("unknown-secret", message, "offsite", *at, hint=hint)
