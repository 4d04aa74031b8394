"""The access policy: what it is derived from, and what rules by hand open."""

from __future__ import annotations

from collections.abc import Sequence

from paisctl.diagnostics import Diagnostics, Mark, did_you_mean
from paisctl.inventory.load import Fleet
from paisctl.rendering.graph import Graph
from paisctl.rendering.tailnet.access import is_private
from paisctl.rendering.tailnet.names import tag_of
from paisctl.rendering.tailnet.proof import Prover

PEERS = "only the instances of its own stack may reach it"
_MANY = 4  # things named in one message


def check_services(fleet: Fleet, graph: Graph, diagnostics: Diagnostics) -> None:
    """Check that what roles, devices and stacks want to reach exists, and is for others."""
    _check_tags(fleet, diagnostics)
    check = _Services(fleet, graph, diagnostics)
    check.of_roles()
    check.of_devices()
    check.of_stacks()


def _check_tags(fleet: Fleet, diagnostics: Diagnostics) -> None:
    """Check that no two devices, and no machine that is none, have the same tag."""
    first: dict[str, str] = {}
    for name, device in fleet.devices.items():
        other = name if device.device.owner else first.setdefault(tag_of(name), name)
        if other != name:
            message = f"{other} and {name} would have the same tag, `{tag_of(name)}`"
            mark = fleet.mark("devices", name)
            diagnostics.error("duplicate-tag", message, mark, "give one of them another name")
    for tag in fleet.inventory.tailnet.tags:
        device_ = first.get(f"tag:{tag}", tag)
        if device_ != tag:
            message = f"the tag `{tag}` is that of {device_}, whose name begins with a digit"
            mark = fleet.mark("tailnet", "tags", tag)
            diagnostics.error("duplicate-tag", message, mark, "machines outside need another one")


class _Services:
    def __init__(self, fleet: Fleet, graph: Graph, diagnostics: Diagnostics) -> None:
        self.fleet = fleet
        self.graph = graph
        self.diagnostics = diagnostics

    def _named(self, export: str, who: str, mark: Mark | None) -> None:
        if export not in self.graph.exports:
            message = f"{who} `{export}`, which no device offers"
            hint = did_you_mean(export, self.graph.exports, "exports")
            self.diagnostics.error("missing-service", message, mark, hint)
        elif is_private(self.graph, export):
            self.diagnostics.error("private-service", f"{who} `{export}`, but {PEERS}", mark)

    def of_roles(self) -> None:
        for name, role in self.fleet.inventory.roles.items():
            for position, service in enumerate(role.services):
                mark = self.fleet.source.mark(("roles", name, "services", position))
                is_built_in = mark is not None and mark.file.startswith("(")
                # A role of everybody's may name what not everybody has.
                if service != "*" and not is_built_in:
                    self._named(service, f"the role `{name}` may use", mark)

    def of_devices(self) -> None:
        for device in self.fleet.devices.values():
            for position, export in enumerate(device.device.connects):
                mark = device.source.mark(("connects", position))
                self._named(export, f"{device.name} connects to", mark)

    def of_stacks(self) -> None:
        seen = set()
        for instance in self.graph.instances.values():
            for position, connect in enumerate(instance.stack.bundle.connects):
                key = (instance.name, position)
                if key in seen or connect.peers or not connect.export:
                    continue
                seen.add(key)
                if is_private(self.graph, connect.export):
                    mark = instance.stack.mark("connects", position)
                    message = f"`{instance.name}` connects to `{connect.export}`, but {PEERS}"
                    self.diagnostics.error("private-service", message, mark)


def check_by_hand(prover: Prover, diagnostics: Diagnostics) -> None:
    """Report what rules by hand allow although it must not be."""
    for widened in prover.widened():
        rule = prover.derived.rules[widened.rule].by_hand
        what, who = _several(widened.targets), _several(widened.sources)
        message = f"this rule opens {what} to {who}"
        if widened.is_isolated:
            message += ", which is isolated"
        hint = (
            "an isolated device reaches what is declared for it and nothing else: take it out of "
            "the rule, or declare the connection under its `connects:`"
            if widened.is_isolated
            else f"{PEERS}: take it out of the rule"
        )
        diagnostics.error("widened", message, rule.mark if rule else None, hint)


def _several(things: Sequence[str]) -> str:
    more = [f"{len(things) - _MANY} more"] if len(things) > _MANY else []
    *rest, last = [*things[:_MANY], *more]
    return f"{', '.join(rest)} and {last}" if rest else last
