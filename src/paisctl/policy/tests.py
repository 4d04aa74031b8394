"""The tests that a policy carries, run as the control plane runs them.

A test "runs from the perspective of a device authenticated with the provided identity", and a test
without a protocol "checks for either TCP or UDP access" [Tailscale docs, "Syntax reference for the
tailnet policy file", tests]. We ask for more than the control plane: of a group or tag, everybody
has to reach all of the target, or nobody any of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from paisctl.policy import testable
from paisctl.policy.document import Policy, Test
from paisctl.policy.evaluate import Rules, Target
from paisctl.policy.world import Node, World, person, tagged

Wanted = Literal["accept", "deny"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that does not hold: `target` of test `index` should be allowed, or denied.

    `target` is empty where the test itself cannot be run.
    """

    index: int
    src: str
    target: str
    wanted: Wanted
    message: str


def failures(policy: Policy, world: World) -> list[Failure]:
    """Every test of the policy that does not hold, in their order.

    A user or tag without a device stands for one that will come. Rules that ask for a device
    posture count only for tests that give posture attributes, and then as if these met it.

    Raises:
        BadPolicy: the ports of a rule cannot be understood.
    """
    run = _Run(policy, world)
    return [failure for i, test in enumerate(policy.tests) for failure in run.failures(i, test)]


class _Run:
    def __init__(self, policy: Policy, world: World) -> None:
        self.policy = policy
        self.world = world
        self.rules = Rules(policy, world, with_posture=False)
        self.rules_with_posture = Rules(policy, world)
        self._of = cache(self._find)

    def failures(self, index: int, test: Test) -> Iterator[Failure]:
        problem = (
            testable.source_problem(test.src, self.policy)
            or testable.protocol_problem(test.proto)
            or ("" if test.accept or test.deny else "neither accept nor deny")
        )
        if problem:
            yield Failure(index, test.src, "", "accept" if test.accept else "deny", problem)
            return
        wanted: tuple[tuple[Wanted, tuple[str, ...]], ...]
        wanted = (("accept", test.accept), ("deny", test.deny))
        for want, targets in wanted:
            for target in targets:
                message = self._message(test, target, want)
                if message:
                    yield Failure(index, test.src, target, want, message)

    def _message(self, test: Test, target: str, wanted: Wanted) -> str:
        """Why a target of a test does not hold; as far as known in the control plane's words."""
        try:
            host, port = testable.parsed(target, self.policy)
        except ValueError as error:
            return f'"{target}": {error}'
        sources, targets = self._sources(test.src), self._targets(host)
        for name, found in ((test.src, sources), (host, targets)):
            if not found:
                return f'"{name}" resolved to no IP addresses'
        rules = self.rules_with_posture if test.attributes else self.rules
        protocols = [test.proto] if test.proto else ["tcp", "udp"]
        allowed = [
            any(rules.reasons(one, other, port, protocol) for protocol in protocols)
            for one in sources
            for other in targets
        ]
        if wanted == "accept":
            return "" if all(allowed) else f'address "{target}": want: Accept, got: Drop'
        return f'address "{target}": want: Drop, got: Accept' if any(allowed) else ""

    def _sources(self, name: str) -> list[Node]:
        if name.startswith("group:"):
            return [node for user in self.policy.groups.get(name, ()) for node in self._of(user)]
        if name.startswith("tag:") or "@" in name:
            return self._of(name)
        address = self.policy.hosts.get(name, name)
        return self._with(address) or [Node(name, (address,))]

    def _targets(self, name: str) -> list[Target]:
        if name.startswith(("tag:", "group:")):
            return [*self._sources(name)]
        address = self.policy.hosts.get(name, name)
        return [*self._with(address)] or [address]

    def _find(self, name: str) -> list[Node]:
        """The devices of a user or with a tag, or something that stands for them."""
        if name.startswith("tag:"):
            nodes, stand_in = [n for n in self.world.nodes if name in n.tags], tagged(name)
        else:
            nodes = [n for n in self.world.nodes if self.rules.selectors.source(name, n)]
            stand_in = person(name)
        return nodes or [stand_in]

    def _with(self, address: str) -> list[Node]:
        host = testable.address_of(address)
        return [node for node in self.world.nodes if host in node.hosts]
