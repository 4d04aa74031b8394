"""What must hold after every failure, whatever it was."""

from __future__ import annotations

from collections.abc import Collection

from tests.e2e.faults.harness.canary import Canary, Version, check_survival, look
from tests.e2e.faults.harness.host import Host
from tests.e2e.scenario import apply, plan

COMPOSE = "file compose.yaml"


def fail(host: Host, version: Version, *arguments: str) -> str:
    """Apply a version; it must fail with 1. Returns what was printed on both outputs."""
    arguments = ("apply", "--yes", host.device, *arguments)
    completed = host.lab.paisctl(*arguments, overlay=version.overlay)
    assert completed.returncode == 1, completed.stdout + completed.stderr
    return completed.stdout + completed.stderr


def check_recovery(
    host: Host, before: Canary, wanted: Version, words: Collection[str] = ()
) -> Canary:
    """Nothing is lost; the next plan tells the truth; the next apply repairs all.

    Args:
        host: where something failed.
        before: the canary as it was before.
        wanted: a version that can be applied.
        words: the versions that the failure may have left, beside the one before and this one.

    Returns:
        The canary as the failure left it.
    """
    host.wait_until_idle()
    left = look(host)
    check_survival(before, left, {before.word, wanted.word, *words})
    check_truth(host, left, wanted)
    apply(host.lab, host.device, overlay=wanted.overlay)
    check_order(host, wanted)
    return left


def check_truth(host: Host, left: Canary, wanted: Version) -> None:
    """What the plan names is what differs on the host."""
    changes = plan(host.lab, host.device, overlay=wanted.overlay)
    assert {change["subject"] for change in changes} - {COMPOSE} == left.differences(wanted.word)


def check_order(host: Host, wanted: Version) -> None:
    """All is of one version and runs, and no delivery is left, which would hold secrets."""
    assert look(host).word == wanted.word
    assert plan(host.lab, host.device, overlay=wanted.overlay) == []
    assert host.sh(f"find {host.root}/staging -mindepth 1 2>/dev/null; true") == ""
    assert "lock" not in host.sh(f"ls {host.root}").split()
