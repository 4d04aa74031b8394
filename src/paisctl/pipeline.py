"""The stages in order, nothing else: inventory → desired → observed → plan → execution → report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from paisctl.desired import HostSpec
from paisctl.diagnostics import Diagnostics
from paisctl.errors import InvalidInput
from paisctl.events import Listener
from paisctl.inventory.checks import check_fleet
from paisctl.inventory.load import Fleet, load
from paisctl.inventory.rollouts import groups_of
from paisctl.rendering.catalog import Catalog, bundle_folders, load_catalog
from paisctl.rendering.checks import check_rendered
from paisctl.rendering.graph import Graph
from paisctl.rendering.render import render
from paisctl.rendering.tailnet.derive import Derived
from paisctl.rendering.tailnet.proven import derive_proven
from paisctl.secrets import Vault, load_vault, names_in
from paisctl.session import Session, open_session
from paisctl.targets import Begun, build_targets
from paisctl.timings import stage


@dataclass(frozen=True)
class Desired:
    """What the inventory asks for, rendered."""

    fleet: Fleet
    catalog: Catalog
    hosts: Mapping[str, HostSpec]
    graph: Graph
    tailnet: Derived
    diagnostics: Diagnostics


def desire(
    paths: Sequence[Path],
    shipped: Path | None = None,
    texts: Mapping[Path, str] = MappingProxyType({}),
) -> Desired:
    """Load, check and render an inventory with its overlays.

    Args:
        paths: the inventory, then its overlays.
        shipped: folder of the bundles that come after the project's own; else paisctl's.
        texts: what to take for the text of some of the files, as they may become.

    Raises:
        InvalidInput: there are errors; it carries all of them, and the warnings.
    """
    diagnostics = Diagnostics()
    with stage("load the inventory"):
        fleet = load(paths, diagnostics, texts)
    return desire_from(fleet, paths, diagnostics, shipped)


def desire_from(
    fleet: Fleet | None,
    paths: Sequence[Path],
    diagnostics: Diagnostics,
    shipped: Path | None = None,
) -> Desired:
    """Check and render an inventory that `load` has made a fleet of; `desire` does both."""
    if fleet is None:
        raise InvalidInput(diagnostics)
    with stage("render"):
        catalog = load_catalog(bundle_folders(paths, shipped), diagnostics)
        rendered = render(fleet, catalog, diagnostics)
    with stage("check"):
        check_fleet(fleet, diagnostics)
        check_rendered(fleet, rendered, diagnostics)
    with stage("derive and prove the access policy"):
        tailnet = derive_proven(fleet, rendered, diagnostics)
    if diagnostics.errors:
        raise InvalidInput(diagnostics)
    return Desired(fleet, catalog, rendered.hosts, rendered.graph, tailnet, diagnostics)


def read_fleet(paths: Sequence[Path]) -> Fleet:
    """Load an inventory with its overlays, without rendering it: who is there, how to reach them.

    Raises:
        InvalidInput: there are errors; it carries all of them.
    """
    diagnostics = Diagnostics()
    fleet = load(paths, diagnostics)
    if fleet is None or diagnostics.errors:
        raise InvalidInput(diagnostics)
    return fleet


def lint(paths: Sequence[Path], shipped: Path | None = None) -> Diagnostics:
    """Every problem of an inventory with its overlays, warnings too."""
    try:
        return desire(paths, shipped).diagnostics
    except InvalidInput as invalid:
        return invalid.diagnostics


def open_vault(desired: Desired, devices: Iterable[str], stacks: Collection[str] = ()) -> Vault:
    """The secrets that some devices need, or some stacks there; none means all of them.

    Raises:
        PaisctlError: one of them has no value yet.
    """
    vault = load_vault(desired.fleet.secrets_file)
    needed = {
        name
        for device in devices
        for stack in desired.hosts[device].stacks.values()
        if not stacks or stack.name in stacks
        for file in stack.files.values()
        for name in names_in(file.content)
    }
    vault.require(needed)
    return vault


@contextmanager
def session(
    desired: Desired,
    devices: Sequence[str],
    listener: Listener,
    *,
    texts: bool = False,
    begun: Mapping[str, Begun] = MappingProxyType({}),
    skips_away: bool = False,
) -> Iterator[Session]:
    """Connect to some devices and read them: what is planned on, applied to and reported of.

    Args:
        desired: what should be.
        devices: which of its hosts to read.
        listener: told what happens meanwhile.
        texts: also read the contents of files, for text diffs.
        begun: the devices that are being read already.
        skips_away: whether any host may be asleep, also one that is required.
    """
    vault = open_vault(desired, devices)
    targets = build_targets(desired.fleet, desired.hosts, devices, begun)
    groups = groups_of(desired.fleet)
    with open_session(
        desired.hosts,
        vault,
        targets,
        listener,
        texts=texts,
        groups=groups,
        begun=begun,
        skips_away=skips_away,
    ) as opened:
        yield opened
