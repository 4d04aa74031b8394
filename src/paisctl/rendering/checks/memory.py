"""Whether the memory limits of a device's containers fit into its RAM."""

from __future__ import annotations

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.load import FleetDevice
from paisctl.inventory.types import format_size
from paisctl.rendering.checks.stack import Stack
from paisctl.resources.compose import fields

# The kernel, the page cache and an integrated GPU need the rest.
COMFORTABLE = 0.85


def check_memory(device: FleetDevice, stacks: list[Stack], diagnostics: Diagnostics) -> None:
    """Warn above 85 % of the RAM, refuse above 100 %, and spell the sum out."""
    limits = {
        f"{stack.instance.name}/{name}" if len(stack.spec.services) > 1 else stack.instance.name: n
        for stack in stacks
        for name, service in stack.spec.services.items()
        if (n := fields(service, stack.spec.project, "")["memory limit"])
    }
    total, memory = sum(limits.values()), device.device.memory
    if total <= COMFORTABLE * memory:
        return
    parts = " + ".join(f"{who} {format_size(n)}" for who, n in _largest_first(limits))
    share = f"{format_size(total)}, {100 * total / memory:.0f} % of {format_size(memory)}"
    mark = device.source.mark(("memory",))
    related = [
        (f"the limit of {stack.instance.name}", setting.mark)
        for stack in stacks
        if (setting := stack.instance.settings.get("memory")) and setting.mark
    ]
    if total > memory:
        message = (
            f"the memory limits on {device.name} add up to more than its RAM: {parts} = {share}"
        )
        diagnostics.error("memory", message, mark, "lower a limit or move a stack", related)
    else:
        message = (
            f"the memory limits on {device.name} leave its system little RAM: {parts} = {share}"
        )
        hint = "keep the sum below 85 %: the kernel, the page cache and a shared GPU need the rest"
        diagnostics.warning("memory", message, mark, hint, related)


def _largest_first(limits: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(limits.items(), key=lambda item: (-item[1], item[0]))
