"""The access policy: what it is derived from, what the control plane would refuse, and its proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from paisctl.diagnostics import Diagnostics, Mark, did_you_mean
from paisctl.inventory.load import Fleet
from paisctl.inventory.source import Path_
from paisctl.policy.checks import Problem, problems
from paisctl.policy.tests import failures
from paisctl.rendering.checks.reach import check_reach
from paisctl.rendering.checks.stack import stacks_of
from paisctl.rendering.graph import Graph
from paisctl.rendering.render import Rendered
from paisctl.rendering.tailnet.access import Door, is_private
from paisctl.rendering.tailnet.derive import Derived, derive
from paisctl.rendering.tailnet.proof import Prover, Widened

_PEERS = "only the instances of its own stack may reach it"


def check_services(fleet: Fleet, graph: Graph, diagnostics: Diagnostics) -> None:
    """Check that what roles, devices and stacks want to reach exists, and is for others."""
    check = _Services(fleet, graph, diagnostics)
    check.of_roles()
    check.of_devices()
    check.of_stacks()


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
            self.diagnostics.error("private-service", f"{who} `{export}`, but {_PEERS}", mark)

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
                    message = f"`{instance.name}` connects to `{connect.export}`, but {_PEERS}"
                    self.diagnostics.error("private-service", message, mark)


def check_tailnet(fleet: Fleet, rendered: Rendered, diagnostics: Diagnostics) -> Derived:
    """Derive the access policy, check it as the control plane would, and prove what it allows.

    Returns:
        The policy as it is to be sent, and its tests; without these if it could not be proven, which
        `diagnostics` says.
    """
    check_services(fleet, rendered.graph, diagnostics)
    derived = derive(fleet, rendered.graph)
    control = fleet.inventory.tailnet.control
    check = _Policy(fleet, derived, diagnostics)
    if not check.refused(problems(derived.policy, control)):
        return derived
    prover = Prover(derived, fleet, rendered.graph)
    proven = prover.with_tests()
    check.proof(prover)
    check.refused(problems(proven.policy, control))
    for failure in failures(proven.policy, proven.world):
        check.wrong(f"the policy fails its own test: {failure.message}")
    check_reach(fleet, rendered.graph, stacks_of(fleet, rendered), prover, diagnostics)
    if control == "headscale":
        # It refuses a policy as soon as a user or tag in a test has no device (hscontrol/policy/v2).
        return replace(proven, policy=derived.policy)
    return proven


class _Policy:
    def __init__(self, fleet: Fleet, derived: Derived, diagnostics: Diagnostics) -> None:
        self.fleet = fleet
        self.derived = derived
        self.diagnostics = diagnostics

    def refused(self, found: Sequence[Problem]) -> bool:
        """Report what would be refused; says whether nothing would be."""
        for problem in found:
            message = f"the control plane would refuse the access policy: {problem.message}"
            mark = self.fleet.source.mark(self._written(problem.path))
            self.diagnostics.error("refused-policy", message, mark, problem.hint)
        return not found

    def proof(self, prover: Prover) -> None:
        """Report what is declared and not allowed, and what is allowed and must not be."""
        for subject, door in prover.unreachable():
            self.wrong(f"{subject.selector} cannot reach {_said(door)}, which it is to")
        for widened in prover.undeclared():
            self.wrong(f"{widened.source} reaches {_said(widened.door)}, which nothing declares")
        for widened in prover.widened():
            self.widened(widened)

    def widened(self, widened: Widened) -> None:
        rule = self.derived.rules[widened.rule].by_hand
        message = f"this rule lets {widened.source} reach {_said(widened.door)}"
        hint = (
            f"{widened.source} is isolated: it may reach only what is declared for it"
            if widened.is_isolated
            else f"{_PEERS}; leave it out of the rule"
        )
        self.diagnostics.error("widened", message, rule.mark if rule else None, hint)

    def wrong(self, message: str) -> None:
        """What must never happen, and would be a mistake of paisctl's own."""
        mark = self.fleet.mark("tailnet")
        self.diagnostics.error("unproven-policy", message, mark, "please report this")

    def _written(self, path: Path_) -> Path_:
        """Where in the inventory a place in the policy was written."""
        section, *rest = path
        settings = self.fleet.inventory.tailnet
        if section == "grants" and rest and isinstance(rest[0], int):
            first = len(self.derived.policy.grants or ()) - len(settings.grants)
            own = rest[0] - first
            # Selectors may have been expanded, so that places in a list are not the same.
            return ("tailnet", "grants", own, *rest[1:2]) if own >= 0 else ("tailnet",)
        if section == "ssh" and rest:
            return ("tailnet", "ssh", *rest[:2])
        if section == "hosts" and rest and rest[0] in settings.hosts:
            return ("tailnet", "hosts", *rest)
        if section == "tagOwners" and rest:
            return ("tailnet", "tags", str(rest[0]).removeprefix("tag:"), "owners")
        if section == "groups":
            return ("users",)
        return ("tailnet", "sections", section) if section in settings.sections else ("tailnet",)


def _said(door: Door) -> str:
    return f"{door.device} {door.protocol} {door.port}"
