"""Whether the rollouts of an inventory can be carried out."""

from __future__ import annotations

from collections.abc import Mapping

from paisctl.diagnostics import Diagnostics, did_you_mean
from paisctl.inventory.load import Fleet
from paisctl.inventory.rollouts import Rollout
from paisctl.rendering.catalog import Catalog
from paisctl.rendering.checks.declared import DeclaredCheck
from paisctl.rendering.graph import Graph
from paisctl.rendering.instances import Instance


def check_rollouts(fleet: Fleet, catalog: Catalog, graph: Graph, diagnostics: Diagnostics) -> None:
    """Check that each names a stack that can be rolled, devices that run it, and gates that it has."""
    seen: dict[str, str] = {}
    for name, rollout in fleet.inventory.rollouts.items():
        running = {each.device.name: each for each in graph.of_stack(rollout.stack)}
        _Check(fleet, "rollouts", name, diagnostics).check(rollout, catalog, running)
        other = seen.setdefault(rollout.stack, name)
        if other != name:
            diagnostics.error(
                "duplicate-rollout",
                f"`{other}` and `{name}` both roll the stack `{rollout.stack}`",
                fleet.mark("rollouts", name),
                "two members could be restarted at the same time; keep one of them",
            )


class _Check(DeclaredCheck):
    def check(self, rollout: Rollout, catalog: Catalog, running: Mapping[str, Instance]) -> None:
        found = self.find(rollout.stack, catalog)
        if found is None:
            return
        if found.bundle.rollout is None:
            message = f"the stack `{rollout.stack}` does not say how it is rolled"
            hint = f"add `rollout:` to {found.folder / 'bundle.yaml'}"
            self.error("no-rollout", message, "stack", hint=hint)
            return
        for gate in rollout.gates:
            if gate not in found.bundle.rollout.gates:
                hint = did_you_mean(gate, found.bundle.rollout.gates, "gates")
                message = f"the stack `{rollout.stack}` has no gate `{gate}`"
                self.error("unknown-gate", message, "gates", gate, hint=hint)
        self.members(rollout.stack, rollout.devices, running)
        self._versions(rollout, running, f"images.{found.bundle.rollout.image}.tag")

    def _versions(self, rollout: Rollout, running: Mapping[str, Instance], setting: str) -> None:
        """Members of one cluster are of one version; only while they are rolled they are not."""
        members = [each for name, each in running.items() if name in (rollout.devices or running)]
        tags = {each.device.name: each.settings[setting] for each in members}
        if len({tag.value for tag in tags.values()}) > 1:
            said = ", ".join(f"{tag.value} on {device}" for device, tag in tags.items())
            related = [(f"{d} has it from here", t.mark) for d, t in tags.items() if t.mark]
            self.diagnostics.error(
                "mixed-versions",
                f"the members of `{self.name}` are to have different versions: {said}",
                self.fleet.mark("rollouts", self.name),
                f"write the tag once, under `stacks: {rollout.stack}: images:`",
                related,
            )
