"""A control plane that fails while a policy is set: what is said, and what is in force."""

from __future__ import annotations

import httpx
import pytest

from tests.cli.tailnet.site import Site
from tests.cli.tailnet.test_access import MORE
from tests.controlplane.faults import (
    Fault,
    bad_gateway,
    meanwhile,
    rate_limited,
    reset,
    silence,
    status,
)

APPLY = "paisctl acl apply --yes"
LOST = {
    "500": (status(500), status(500, carried_out=True)),
    "502": (bad_gateway(), bad_gateway(carried_out=True)),
    "reset": (reset(), reset(carried_out=True)),
    "silence": (silence(3), silence(3, carried_out=True)),
}


@pytest.fixture
def pending(settled: Site) -> Site:
    """The inventory asks for more than what is in force."""
    settled.overlay(roles=MORE)
    return settled


def test_somebody_else_was_faster(pending: Site) -> None:
    theirs = pending.server.policy.replace(
        '"group:children": [', '"group:children": ["m@example.com", '
    )
    race = meanwhile(lambda: pending.server.edit_by_hand(theirs))
    pending.server.faults.next("POST", "/acl", race)
    pending.say("tailnet-race", APPLY, "paisctl acl plan")
    assert pending.server.policy == theirs
    assert pending.record == []


def test_it_waits_as_long_as_it_is_asked_to(pending: Site) -> None:
    pending.server.faults.next("POST", "/acl", rate_limited(7))
    assert pending.run(APPLY).status == 0
    assert pending.pauses == [7.0]


def test_it_does_not_wait_for_ever(pending: Site) -> None:
    before = pending.server.policy
    pending.server.faults.next("POST", "/acl", rate_limited(700))
    pending.say("tailnet-too-often", APPLY)
    assert (pending.server.policy, pending.record) == (before, [])


@pytest.mark.parametrize("what", LOST)
def test_an_answer_is_lost_and_nothing_was_done(
    what: str, pending: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pending.server.policy
    if what == "silence":
        monkeypatch.setattr("paisctl.tailnet.connection._TIMEOUT", httpx.Timeout(2.0))
    pending.server.faults.next("POST", "/acl", LOST[what][0])
    lines = (APPLY, "paisctl acl plan", APPLY, "paisctl acl back", "paisctl acl back")
    pending.say(f"tailnet-lost-{what}", *lines)
    assert (pending.server.policy, pending.record) == (before, [])
    assert len(pending.server.asked("POST", "/acl")) == 1


@pytest.mark.parametrize("what", LOST)
def test_an_answer_is_lost_and_all_was_done(
    what: str, pending: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = pending.run("paisctl acl render").out
    if what == "silence":
        monkeypatch.setattr("paisctl.tailnet.connection._TIMEOUT", httpx.Timeout(2.0))
    pending.server.faults.next("POST", "/acl", LOST[what][1])
    assert pending.run(APPLY).status == 0
    assert (pending.server.policy, pending.record) == (wanted, [])
    assert len(pending.server.asked("POST", "/acl")) == 1


@pytest.mark.parametrize("code", [400, 401, 403])
def test_it_is_refused(code: int, pending: Site) -> None:
    before = pending.server.policy
    words = {400: 'tag not found: "tag:x"', 401: "API token invalid", 403: "not enough permissions"}
    pending.server.faults.next("POST", "/acl", status(code, words[code]))
    pending.say(f"tailnet-refused-{code}", APPLY)
    assert (pending.server.policy, pending.record) == (before, [])


@pytest.mark.parametrize(
    ("method", "ending"), [("GET", "/acl"), ("POST", "/validate"), ("GET", "/devices")]
)
def test_before_anything_is_set(method: str, ending: str, pending: Site) -> None:
    before = pending.server.policy
    faults: tuple[Fault, ...] = (bad_gateway(), rate_limited(1), reset())
    for fault in faults:  # each is got over
        pending.server.faults.next(method, ending, fault)
    assert pending.run("paisctl acl plan").status == 0
    pending.server.faults.next(method, ending, bad_gateway(), times=4)
    said = pending.run(APPLY)
    assert said.status == 1
    assert "answered 502 Bad Gateway" in said.err
    assert "<html>" not in said.out + said.err
    assert pending.server.faults.left == 0
    assert pending.server.policy == before


@pytest.mark.parametrize("fault", [LOST["reset"][0], rate_limited(5)], ids=["reset", "429"])
def test_the_way_back_is_gone_in_spite_of_it(fault: Fault, settled: Site) -> None:
    """The new policy locks everybody out, and the request that undoes it fails, too."""
    before = settled.server.policy
    settled.overlay(roles={"admin": {"ssh": False}})
    requests = settled.server.faults
    requests.next("POST", "/acl", Fault())  # the new policy
    requests.next("POST", "/acl", fault, times=2)
    done = settled.run(APPLY)
    assert done.status == 1
    assert (settled.server.policy, settled.record) == (before, [])
    assert requests.left == 0
    assert "Not done: the old access policy is in force again." in done.out
