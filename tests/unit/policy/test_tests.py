"""The tests that policies carry: what passes, and what is said of what does not."""

from __future__ import annotations

from typing import Any

import pytest

from paisctl.policy.parsing import parsed
from paisctl.policy.tests import failures
from paisctl.policy.world import Node, World

WORLD = World(
    (
        Node("admin-laptop", ("100.64.0.1",), user="admin@example.com"),
        Node("child-tablet", ("100.64.0.2",), user="child@example.com"),
        Node("nas", ("100.64.0.3", "fd7a:115c:a1e0::3"), frozenset({"tag:nas"})),
        Node("web-1", ("100.64.0.4",), frozenset({"tag:web"})),
        Node("web-2", ("100.64.0.5",), frozenset({"tag:web", "tag:new"})),
    )
)
POLICY: dict[str, Any] = {
    "groups": {
        "group:admins": ["admin@example.com", "other@example.com"],
        "group:mixed": ["admin@example.com", "child@example.com"],
        "group:nobody": [],
    },
    "hosts": {"nas": "100.64.0.3", "printer": "192.168.1.9", "lan": "192.168.1.0/24"},
    "tagOwners": {"tag:nas": [], "tag:web": [], "tag:new": [], "tag:later": []},
    "grants": [
        {"src": ["group:admins"], "dst": ["tag:nas"], "ip": ["tcp:22"]},
        {"src": ["group:admins"], "dst": ["tag:new"], "ip": ["tcp:80"]},
        {"src": ["tag:web"], "dst": ["tag:nas"], "ip": ["udp:53", "443"]},
        {"src": ["100.64.0.2"], "dst": ["nas"], "ip": ["tcp:445"]},
        {"src": ["tag:later"], "dst": ["tag:later"], "ip": ["sctp:7"]},
        {"src": ["group:admins"], "dst": ["lan"], "ip": ["tcp:631"]},
        {"src": ["tag:web"], "dst": ["tag:web"], "ip": ["tcp:9"], "srcPosture": ["posture:x"]},
    ],
}


def said(test: dict[str, Any]) -> list[tuple[str, str, str]]:
    policy = parsed(POLICY | {"tests": [test]})
    found = failures(policy, WORLD)
    assert all((failure.index, failure.src) == (0, test["src"]) for failure in found)
    return [(failure.wanted, failure.target, failure.message) for failure in found]


@pytest.mark.parametrize(
    "test",
    [
        {"src": "admin@example.com", "accept": ["tag:nas:22"], "deny": ["tag:nas:23", "nas:445"]},
        {"src": "group:admins", "accept": ["tag:nas:22", "nas:22", "100.64.0.3:22"]},
        {"src": "group:admins", "accept": ["tag:new:80"], "deny": ["tag:nas:80"]},
        {"src": "other@example.com", "accept": ["tag:nas:22"]},
        {"src": "stranger@example.com", "deny": ["tag:nas:22", "tag:later:7"]},
        {"src": "tag:web", "accept": ["tag:nas:53", "tag:nas:443"], "deny": ["tag:nas:22"]},
        {"src": "tag:web", "accept": ["tag:nas:53"], "proto": "udp"},
        {"src": "tag:web", "deny": ["tag:nas:53"], "proto": "tcp"},
        {"src": "tag:web", "deny": ["tag:nas:53"], "proto": "6"},
        {"src": "100.64.0.2", "accept": ["nas:445", "tag:nas:445"]},
        {"src": "child@example.com", "accept": ["nas:445"]},
        {"src": "100.64.9.9", "deny": ["nas:445", "nas:22"]},
        {"src": "tag:later", "accept": ["tag:later:7"], "proto": "sctp"},
        {"src": "tag:later", "deny": ["tag:later:7"]},
        {"src": "group:admins", "accept": ["printer:631"], "deny": ["192.168.2.9:631"]},
        {"src": "group:admins", "deny": ["printer:632", "1.1.1.1:443"]},
        {"src": "tag:web", "accept": ["[fd7a:115c:a1e0::3]:443"]},
        {"src": "tag:web", "deny": ["tag:web:9"]},
        {"src": "tag:web", "accept": ["tag:web:9"], "srcPostureAttrs": {"node:os": "linux"}},
    ],
)
def test_what_holds(test: dict[str, Any]) -> None:
    assert said(test) == []


DROP = "want: Accept, got: Drop"
ACCEPT = "want: Drop, got: Accept"


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (
            {"src": "admin@example.com", "accept": ["tag:nas:23", "tag:nas:22"]},
            [("accept", "tag:nas:23", f'address "tag:nas:23": {DROP}')],
        ),
        (
            {"src": "admin@example.com", "deny": ["nas:22"]},
            [("deny", "nas:22", f'address "nas:22": {ACCEPT}')],
        ),
        (  # only one of two devices with the tag
            {"src": "group:admins", "accept": ["tag:web:80"], "deny": ["tag:web:80"]},
            [
                ("accept", "tag:web:80", f'address "tag:web:80": {DROP}'),
                ("deny", "tag:web:80", f'address "tag:web:80": {ACCEPT}'),
            ],
        ),
        (  # only one of two people
            {"src": "group:mixed", "accept": ["tag:nas:22"], "deny": ["tag:nas:22"]},
            [
                ("accept", "tag:nas:22", f'address "tag:nas:22": {DROP}'),
                ("deny", "tag:nas:22", f'address "tag:nas:22": {ACCEPT}'),
            ],
        ),
        (
            {"src": "tag:web", "accept": ["tag:nas:53"], "proto": "tcp"},
            [("accept", "tag:nas:53", f'address "tag:nas:53": {DROP}')],
        ),
        (
            {"src": "tag:web", "deny": ["tag:nas:53"]},
            [("deny", "tag:nas:53", f'address "tag:nas:53": {ACCEPT}')],
        ),
        (
            {"src": "tag:web", "accept": ["tag:web:9"]},
            [("accept", "tag:web:9", f'address "tag:web:9": {DROP}')],
        ),
        (
            {"src": "group:nobody", "deny": ["nas:1"]},
            [("deny", "nas:1", '"group:nobody" resolved to no IP addresses')],
        ),
        ({"src": "tag:x", "deny": ["nas:1"]}, [("deny", "", 'tag not found: "tag:x"')]),
        ({"src": "tag:web"}, [("deny", "", "neither accept nor deny")]),
        (
            {"src": "tag:web", "accept": ["nas:*"]},
            [("accept", "nas:*", '"nas:*": test destination port must be a single port')],
        ),
    ],
)
def test_what_does_not_hold(test: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    assert said(test) == expected


def test_failures_come_in_the_order_of_tests() -> None:
    tests = [
        {"src": "tag:web", "accept": ["nas:1", "nas:443", "nas:2"]},
        {"src": "tag:web", "accept": ["nas:443"]},
        {"src": "tag:web", "deny": ["nas:443"]},
    ]
    found = failures(parsed(POLICY | {"tests": tests}), WORLD)
    assert [(failure.index, failure.target) for failure in found] == [
        (0, "nas:1"),
        (0, "nas:2"),
        (2, "nas:443"),
    ]
