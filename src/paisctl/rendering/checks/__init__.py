"""What is wrong with a fleet although each stack could be resolved and rendered.

One module per family of checks. None changes anything; each adds to the diagnostics.
"""

from __future__ import annotations

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.load import Fleet
from paisctl.rendering.checks.backups import check_backups
from paisctl.rendering.checks.exposure import check_exposure
from paisctl.rendering.checks.ignored import check_ignored
from paisctl.rendering.checks.images import check_images, check_used_images
from paisctl.rendering.checks.localhost import check_localhost
from paisctl.rendering.checks.memory import check_memory
from paisctl.rendering.checks.mounts import check_mounts
from paisctl.rendering.checks.names import check_names
from paisctl.rendering.checks.ports import check_ports
from paisctl.rendering.checks.references import check_references
from paisctl.rendering.checks.requires import check_requires
from paisctl.rendering.checks.resting import check_resting
from paisctl.rendering.checks.rollouts import check_rollouts
from paisctl.rendering.checks.stack import stacks_of
from paisctl.rendering.checks.unsupported import check_unsupported
from paisctl.rendering.render import Rendered


def check_rendered(fleet: Fleet, rendered: Rendered, diagnostics: Diagnostics) -> None:
    """Check every stack on its device, and the stacks of a device against each other."""
    check_ignored(fleet, rendered, diagnostics)
    check_rollouts(fleet, rendered.catalog, rendered.graph, diagnostics)
    stacks = stacks_of(fleet, rendered)
    check_backups(fleet, rendered.catalog, rendered.graph, stacks, diagnostics)
    check_resting(stacks, rendered.graph, diagnostics)
    for instance in rendered.graph.instances.values():
        check_requires(instance, fleet, diagnostics)
        check_images(instance, diagnostics)
    for stack in stacks:
        check_used_images(stack, diagnostics)
        check_references(stack, diagnostics)
        check_exposure(stack, diagnostics)
        check_unsupported(stack, diagnostics)
        check_names(stack, diagnostics)
        check_mounts(stack, diagnostics)
        check_localhost(stack, rendered.graph, diagnostics)
    for device in fleet.devices.values():
        here = [stack for stack in stacks if stack.instance.device is device]
        check_ports(device, rendered.graph, here, diagnostics)
        check_memory(device, here, diagnostics)
