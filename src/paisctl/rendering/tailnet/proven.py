"""The policy as it is sent: derived, held against what the control plane refuses, and proven."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.load import Fleet
from paisctl.policy.checks import Control, problems
from paisctl.policy.tests import failures
from paisctl.rendering.checks.reach import check_reach
from paisctl.rendering.checks.refused import check_refused
from paisctl.rendering.checks.stack import stacks_of
from paisctl.rendering.checks.tailnet import PEERS, check_by_hand, check_services
from paisctl.rendering.render import Rendered
from paisctl.rendering.tailnet.derive import Derived, derive
from paisctl.rendering.tailnet.proof import Prover


def derive_proven(fleet: Fleet, rendered: Rendered, diagnostics: Diagnostics) -> Derived:
    """Derive the access policy, check it as the control plane would, and prove what it allows.

    Returns:
        The policy as it is to be sent, and its tests; without these if it could not be proven, which
        `diagnostics` says.
    """
    check_services(fleet, rendered.graph, diagnostics)
    derived = derive(fleet, rendered.graph)
    control = fleet.inventory.tailnet.control
    found = problems(derived.policy, control)
    if found:
        check_refused(found, fleet, derived, diagnostics)
        return derived
    prover = Prover(derived, fleet, rendered.graph)
    check_by_hand(prover, diagnostics)
    check_reach(fleet, rendered.graph, stacks_of(fleet, rendered), prover, diagnostics)
    if diagnostics.errors:
        return derived  # of which little can be proven
    proven = prover.with_tests()
    for message in _disproofs(prover, proven, control):
        mark = fleet.mark("tailnet")
        diagnostics.error("unproven-policy", message, mark, "please report this")
    if control == "headscale":
        # It refuses a policy as soon as a user or tag in a test has no device (hscontrol/policy/v2).
        return replace(proven, policy=derived.policy)
    return proven


def _disproofs(prover: Prover, proven: Derived, control: Control) -> Iterator[str]:
    """What is wrong with a policy; that would be a mistake of paisctl's own."""
    for subject, door in prover.unreachable():
        yield f"{subject.selector} cannot reach {door}, which it is to"
    for selector, door in prover.undeclared():
        yield f"{selector} reaches {door}, which nothing declares"
    for selector, door in prover.exposed():
        yield f"{selector} reaches {door}, but {PEERS}"
    for problem in problems(proven.policy, control):
        yield f"the control plane would refuse it: {problem.message}"
    for failure in failures(proven.policy, proven.world):
        yield f"the policy fails its own test: {failure.message}"
