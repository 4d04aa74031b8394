"""The access policy on hosts that really shut their doors: no policy locks paisctl out for long."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from paisctl.policy.document import digest
from paisctl.policy.text import read, stamp_of
from tests.controlplane.faults import Fault, meanwhile
from tests.controlplane.server import API_KEY
from tests.e2e.faults.harness.controller import Controller
from tests.e2e.rehearsal import Rehearsal
from tests.e2e.tailnet import DROP, FOREIGN_THERE, LOCKED, MORE, Tailnet, joined


@pytest.fixture
def tailnet(fleet: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tailnet]:
    """The lab as a tailnet whose machines are tagged."""
    monkeypatch.setenv("TAILSCALE_API_KEY", API_KEY)
    with joined(fleet, tmp_path) as found:
        yield found


def test_from_a_foreign_policy_to_ours(
    fleet: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILSCALE_API_KEY", API_KEY)
    with joined(fleet, tmp_path, tagged=False) as tailnet:
        early = tailnet.paisctl("acl", "apply", "--yes")
        assert early.returncode == 1
        assert "Not done: the old access policy is in force again." in early.stdout
        assert "still not reached" not in early.stdout
        assert tailnet.server.policy == FOREIGN_THERE
        assert tailnet.reachable() == set(fleet.devices)

        assert tailnet.paisctl("devices", "tag", "--yes").returncode == 0
        before = {device: tailnet.lab.sshd(device) for device in fleet.devices}
        done = tailnet.paisctl("acl", "apply", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "✓ 6 hosts reached anew\nDone: the new access policy is in force" in done.stdout
        for device, counts in before.items():
            logins = tailnet.lab.sshd(device) - counts
            assert (logins.connections, logins.executions) == (2, 0)  # before it, and after it
        assert stamp_of(tailnet.server.policy) == digest(read(tailnet.server.policy))
        assert (tailnet.shut, tailnet.record) == ({}, [])

        asked = len(tailnet.server.requests)
        again = tailnet.paisctl("acl", "apply", "--yes")
        assert again.stdout == "Nothing to do: the access policy is as wanted.\n"
        assert [each.method for each in tailnet.server.requests[asked:]] == ["GET"]


def test_hosts_that_no_longer_answer_bring_the_old_policy_back(tailnet: Tailnet) -> None:
    before = tailnet.settle()
    tailnet.refusal = DROP
    done = tailnet.paisctl("acl", "apply", "--yes", roles=LOCKED)
    assert done.returncode == 1
    assert done.stdout.count("  gone under the new policy\n") == 6
    assert done.stdout.count("    the connection hangs\n") == 6
    assert "Done:" not in done.stdout
    assert "Not done: the old access policy is in force again.\n" in done.stdout
    assert "still not reached" not in done.stdout
    assert (tailnet.server.policy, tailnet.record) == (before, [])
    assert tailnet.reachable() == set(tailnet.lab.devices)


def test_one_host_that_is_gone_is_enough(tailnet: Tailnet) -> None:
    before = tailnet.settle()

    def lose(_: object) -> None:
        if tailnet.server.policy != before:
            tailnet.close("nas")

    tailnet.server.on_change(lose)
    done = tailnet.paisctl("acl", "apply", "--yes", roles=MORE)
    assert done.returncode == 1
    assert "✗ nas  gone under the new policy\n" in done.stdout
    assert done.stdout.count("✗") == 1
    assert tailnet.server.policy == before
    assert "nas" in tailnet.reachable()


# When paisctl is killed, what is in force then, what comes next, and what that leaves in force.
KILLED = [
    ("before the set", "old", "finish", "old"),
    ("set, not answered", "new", "finish", "new"),
    ("set, not answered", "new", "back", "old"),
    ("letting the policy settle", "new", "finish", "new"),
    ("logging in to every host anew", "new", "back", "old"),
    ("going back, not begun", "new", "finish", "old"),
    ("going back, not answered", "old", "back", "old"),
]


@pytest.mark.parametrize(("point", "left", "end", "then"), KILLED)
def test_killed(tailnet: Tailnet, point: str, left: str, end: str, then: str) -> None:
    before = tailnet.settle()
    roles = LOCKED if "going back" in point else MORE
    policies = {"old": before, "new": tailnet.wanted(roles)}
    kill_at(tailnet, point, roles)
    assert tailnet.server.policy == policies[left]
    assert tailnet.record == ["change.json", "policy-before.hujson"]
    assert (tailnet.folder / ".paisctl/tailnet/policy-before.hujson").read_text() == before

    posted = len(tailnet.server.asked("POST", "/acl"))
    for command in (("acl", "plan"), ("acl", "apply", "--yes"), ("plan",)):
        said = tailnet.paisctl(*command, roles=roles)
        assert "an earlier change of the policy has not been ended" in said.stdout + said.stderr
        assert "`paisctl acl finish` ends it, `paisctl acl back`" in said.stdout + said.stderr
        assert said.returncode == (0 if command == ("acl", "plan") else 1)
    assert len(tailnet.server.asked("POST", "/acl")) == posted

    ended = tailnet.paisctl("acl", end, roles=roles)
    assert ended.returncode == (0 if (end == "back") == (then == "old") else 1), ended.stdout
    assert (tailnet.server.policy, tailnet.record) == (policies[then], [])
    assert tailnet.reachable() == set(tailnet.lab.devices)
    assert "no change of the policy" in tailnet.paisctl("acl", end, roles=roles).stderr


def kill_at(tailnet: Tailnet, point: str, roles: object) -> None:
    """Run an apply that is killed by SIGKILL at a point."""
    overlay = tailnet.overlay(roles)
    old = tailnet.server.policy
    faults = tailnet.server.faults
    with Controller(tailnet.lab, "acl", "apply", "--yes", overlay=overlay) as controller:
        killing = meanwhile(controller.kill)
        match point:
            case "before the set":
                faults.next("POST", "/acl", dead(killing))
            case "set, not answered":
                tailnet.server.on_change(lambda _: controller.kill())
            case "going back, not begun":
                faults.next("POST", "/acl", meanwhile(lambda: None))
                faults.next("POST", "/acl", dead(killing))
            case "going back, not answered":
                tailnet.server.on_change(
                    lambda _: controller.kill() if tailnet.server.policy == old else None
                )
            case _:
                assert controller.wait_for(point), controller.said
                controller.kill()
        assert controller.end() == -signal.SIGKILL, controller.said
        tailnet.check(controller.said)
    tailnet.server.faults = type(faults)()


def dead(killing: Fault) -> Fault:
    """Kill, and do not carry out what was asked."""
    return replace(killing, reset=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_it_goes_back_first(tailnet: Tailnet, number: int) -> None:
    before = tailnet.settle()
    overlay = tailnet.overlay(MORE)
    with Controller(tailnet.lab, "acl", "apply", "--yes", overlay=overlay) as controller:
        assert controller.wait_for("letting the policy settle"), controller.said
        assert tailnet.server.policy != before
        controller.kill(number)
        assert controller.end() == 130
    tailnet.check(controller.said)
    assert "Not done: the old access policy is in force again.\n" in controller.said
    assert (tailnet.server.policy, tailnet.record) == (before, [])
