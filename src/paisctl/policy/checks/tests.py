"""What may be refused of `tests`: a test that cannot be run fails, and with it the policy."""

from __future__ import annotations

from collections.abc import Iterator

from paisctl.policy import testable
from paisctl.policy.checks.problem import Path, Problem
from paisctl.policy.document import Policy

_FAILED = "test(s) failed"


def test_problems(policy: Policy) -> Iterator[Problem]:
    """Everything foreseen about `tests` but whether they hold."""
    for i, test in enumerate(policy.tests):
        path: Path = ("tests", i)
        if problem := testable.source_problem(test.src, policy):
            yield Problem(f"{_FAILED}: {problem}", (*path, "src"))
        if problem := testable.protocol_problem(test.proto):
            yield Problem(f"{_FAILED}: {problem}", (*path, "proto"))
        if not test.accept and not test.deny:
            said = 'test entry must have at least one of "accept" or "deny"'
            yield Problem(f"{_FAILED}: {said}", path)
        for key, targets in (("accept", test.accept), ("deny", test.deny)):
            for j, target in enumerate(targets):
                try:
                    testable.parsed(target, policy)
                except ValueError as error:
                    yield Problem(f'{_FAILED}: "{target}": {error}', (*path, key, j))
