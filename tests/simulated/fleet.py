"""A whole fleet: rendered from inventory files, carried out on simulated hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from paisctl.desired import HostSpec
from paisctl.diagnostics import Diagnostics
from paisctl.inventory.load import load
from paisctl.kept import kept_host
from paisctl.manifest import parse_manifest
from paisctl.plan import Plan
from paisctl.reconcile import Scope, reconcile
from paisctl.rendering.catalog import load_catalog
from paisctl.rendering.render import render
from paisctl.secrets import Vault
from tests.simulated.host import SimulatedHost

REPOSITORY = Path(__file__).parents[2]


def rendered(paths: Sequence[Path], bundles: Path = REPOSITORY) -> Mapping[str, HostSpec]:
    """What an inventory with its overlays asks for; it must be without errors."""
    diagnostics = Diagnostics()
    fleet = load(paths, diagnostics)
    assert fleet, list(diagnostics)
    hosts = render(fleet, load_catalog([bundles], diagnostics), diagnostics).hosts
    assert not diagnostics.errors, diagnostics.errors
    return hosts


class SimulatedFleet:
    """The hosts of an inventory, by device, nothing on them yet."""

    def __init__(self, hosts: Mapping[str, HostSpec]) -> None:
        self.hosts = {
            name: SimulatedHost(name, spec.root, spec.fleet) for name, spec in hosts.items()
        }

    def plan(
        self,
        wanted: Mapping[str, HostSpec],
        vault: Vault,
        *,
        texts: bool = False,
        scope: Scope = Scope.ALL,
    ) -> Plan:
        states = {name: host.state(texts=texts) for name, host in self.hosts.items()}
        return reconcile(wanted, states, vault, scope=scope)

    def applied(self, wanted: Mapping[str, HostSpec]) -> Mapping[str, HostSpec]:
        """What the hosts were given last, as what is wanted of them."""
        kept = {
            name: kept_host(name, host.root, parse_manifest(host.manifest))
            for name, host in self.hosts.items()
        }
        return {name: replace(spec, stacks=kept[name].stacks) for name, spec in wanted.items()}

    def apply(self, plan: Plan, vault: Vault) -> None:
        for host in plan.hosts:
            self.hosts[host.device].carry_out(host, vault)
