"""What a control plane would refuse of a policy, as far as it can be foreseen.

Messages are the control plane's own where they are known [answers of Tailscale's control plane,
headscale policy/v2/testdata; headscale policy/v2/types.go]; what is refused follows from Tailscale's
docs, "Syntax reference for the tailnet policy file" and "Grants syntax".
"""

from __future__ import annotations

from paisctl.policy.checks.definitions import definition_problems
from paisctl.policy.checks.problem import Control, Problem
from paisctl.policy.checks.rules import acl_problems, grant_problems
from paisctl.policy.checks.ssh import ssh_problems, ssh_test_problems
from paisctl.policy.checks.tests import test_problems
from paisctl.policy.document import Policy

__all__ = ["Control", "Problem", "problems"]


def problems(policy: Policy, control: Control) -> list[Problem]:
    """Everything for which the control plane would refuse the policy, by place in the policy.

    Whether the policy's own tests hold depends on the tailnet: see `policy.tests`.
    """
    return [
        *definition_problems(policy, control),
        *grant_problems(policy, control),
        *acl_problems(policy, control),
        *ssh_problems(policy, control),
        *ssh_test_problems(policy),
        *test_problems(policy),
    ]
