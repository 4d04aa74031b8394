"""Two policies compared: who gains and who loses what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paisctl.errors import BadPolicy
from paisctl.policy.access import compare
from paisctl.policy.document import Grant, Policy
from paisctl.policy.evaluate import Rules
from paisctl.policy.parsing import parsed
from paisctl.policy.world import Node, World, person

LAPTOP = Node("laptop", ("100.64.0.1",), user="admin@example.com")
TABLET = Node("tablet", ("100.64.0.2",), user="child@example.com")
NAS = Node("nas", ("100.64.0.3",), frozenset({"tag:nas"}))
WEB = Node("web", ("100.64.0.4",), frozenset({"tag:web"}))
WORLD = World((LAPTOP, TABLET, NAS, WEB))
NOBODY = Policy(grants=())


def said(
    before: dict[str, Any],
    after: dict[str, Any],
    world_before: World = WORLD,
    world_after: World = WORLD,
) -> list[str]:
    changes = compare(parsed(before), parsed(after), world_before, world_after)
    return [f"{c.source} {c.target} +{c.gained} -{c.lost}" for c in changes]


def rule(src: list[str], dst: list[str], ip: list[str], **more: Any) -> dict[str, Any]:
    return {"src": src, "dst": dst, "ip": ip, **more}


def test_a_rule_more_and_a_rule_less() -> None:
    before = {"grants": [rule(["tag:web"], ["tag:nas"], ["tcp:2049", "tcp:111"])]}
    after = {
        "grants": [
            rule(["tag:web"], ["tag:nas"], ["tcp:2049", "udp:53"]),
            rule(["admin@example.com"], ["tag:nas", "tag:web"], ["tcp:22"]),
        ]
    }
    assert said(before, after) == [
        "admin@example.com nas +tcp 22 -nothing",
        "admin@example.com web +tcp 22 -nothing",
        "tag:web nas +udp 53 -tcp 111",
    ]
    assert said(after, before) == [
        "admin@example.com nas +nothing -tcp 22",
        "admin@example.com web +nothing -tcp 22",
        "tag:web nas +tcp 111 -udp 53",
    ]


def test_the_same_access_in_other_words_is_no_change() -> None:
    before = {"grants": [rule(["tag:web"], ["tag:nas"], ["tcp:80-81"])]}
    after = {
        "tagOwners": {"tag:nas": []},
        "acls": [
            {"action": "accept", "src": ["100.64.0.4"], "dst": ["tag:nas:80"], "proto": "tcp"}
        ],
        "grants": [rule(["tag:web"], ["100.64.0.3", "tag:nas"], ["tcp:81", "tcp:80"])],
    }
    assert said(before, after) == []


def test_a_new_user_without_a_device() -> None:
    before = {
        "grants": [rule(["group:kids"], ["tag:web"], ["tcp:443"])],
        "groups": {"group:kids": []},
    }
    after = before | {"groups": {"group:kids": ["child@example.com", "new@example.com"]}}
    world = replace(WORLD, roles={"new@example.com": frozenset({"member"})})
    assert said(before, after, WORLD, world) == [
        "child@example.com web +tcp 443 -nothing",
        "new@example.com web +tcp 443 -nothing",
    ]
    assert said(after, before, world, WORLD) == [
        "child@example.com web +nothing -tcp 443",
        "new@example.com web +nothing -tcp 443",
    ]


def test_a_user_who_leaves_loses_what_everybody_has() -> None:
    policy = {"grants": [rule(["autogroup:member"], ["tag:web"], ["tcp:443"])]}
    assert said(policy, policy, WORLD, World((LAPTOP, NAS, WEB))) == [
        "child@example.com web +nothing -tcp 443"
    ]


def test_a_role_that_a_user_is_given() -> None:
    policy = {"grants": [rule(["autogroup:admin"], ["tag:nas"], ["tcp:22"])]}
    world = replace(WORLD, roles={"admin@example.com": frozenset({"admin"})})
    assert said(policy, policy, WORLD, world) == ["admin@example.com nas +tcp 22 -nothing"]


def test_a_device_that_comes_and_one_that_goes() -> None:
    policy = {"grants": [rule(["admin@example.com"], ["*"], ["tcp:22"])]}
    assert said(policy, policy, World((LAPTOP, NAS)), World((LAPTOP, WEB))) == [
        "admin@example.com nas +nothing -tcp 22",
        "admin@example.com web +tcp 22 -nothing",
    ]


def test_a_second_device_of_a_user_is_no_change_of_access() -> None:
    policy = {"grants": [rule(["admin@example.com"], ["tag:nas"], ["tcp:22"])]}
    phone = Node("phone", ("100.64.0.9",), user="admin@example.com")
    assert said(policy, policy, WORLD, World((*WORLD.nodes, phone))) == []


def test_what_one_device_gains_does_not_hide_what_another_loses() -> None:
    other = Node("web-2", ("100.64.0.5",), frozenset({"tag:web"}))
    world = World((*WORLD.nodes, other))
    before = {"grants": [rule(["100.64.0.4"], ["tag:nas"], ["tcp:1"])]}
    after = {"grants": [rule(["100.64.0.5"], ["tag:nas"], ["tcp:1"])]}
    assert said(before, after, world, world) == ["tag:web nas +tcp 1 -tcp 1"]


def test_a_device_that_is_tagged_anew() -> None:
    policy = {"grants": [rule(["tag:web"], ["tag:nas"], ["tcp:1"])]}
    moved = replace(WEB, tags=frozenset({"tag:other"}))
    assert said(policy, policy, WORLD, World((LAPTOP, TABLET, NAS, moved))) == [
        "tag:web nas +nothing -tcp 1"
    ]


def test_a_tag_that_no_device_carries_yet() -> None:
    after = {
        "tagOwners": {"tag:new": []},
        "grants": [rule(["tag:new"], ["tag:nas"], ["tcp:1"])],
    }
    assert said({"grants": []}, after) == ["tag:new nas +tcp 1 -nothing"]


def test_networks_addresses_and_the_internet() -> None:
    before = {
        "hosts": {"lan": "192.168.1.0/24"},
        "grants": [
            rule(["tag:web"], ["lan"], ["tcp:80"]),
            rule(["tag:nas"], ["autogroup:internet"], ["*"]),
        ],
    }
    after = {
        "grants": [
            rule(["tag:web"], ["192.168.1.0/25", "8.8.8.8"], ["tcp:80"]),
            rule(["tag:nas"], ["100.64.0.4"], ["tcp:9"]),
        ]
    }
    assert said(before, after) == [
        "tag:nas 8.8.8.8 +nothing -*",  # it is part of the internet
        "tag:nas autogroup:internet +nothing -*",
        "tag:nas web +tcp 9 -nothing",
        "tag:web 192.168.1.0/24 +nothing -tcp 80",
        "tag:web 8.8.8.8 +tcp 80 -nothing",
    ]


def test_a_network_that_only_one_policy_names_is_asked_of_both() -> None:
    before = {"grants": [rule(["tag:web"], ["10.0.0.0/8"], ["tcp:80"])]}
    after = {"grants": [rule(["tag:web"], ["10.1.0.0/16"], ["tcp:80"])]}
    assert said(before, after) == ["tag:web 10.0.0.0/8 +nothing -tcp 80"]
    assert said(after, before) == ["tag:web 10.0.0.0/8 +tcp 80 -nothing"]


def test_from_a_policy_without_rules_to_one_with() -> None:
    assert said({}, {"grants": []}, World((NAS, WEB)), World((NAS, WEB))) == [
        "tag:nas autogroup:internet +nothing -*",
        "tag:nas web +nothing -*",
        "tag:web autogroup:internet +nothing -*",
        "tag:web nas +nothing -*",
    ]


def test_ports_that_cannot_be_understood_are_said() -> None:
    with pytest.raises(BadPolicy) as error:
        compare(NOBODY, Policy(grants=(Grant(("*",), ("*",), ("ssh",)),)), WORLD, WORLD)
    assert error.value.message == 'grants[0]: port range "ssh": invalid first integer'
    with pytest.raises(BadPolicy) as error:
        said({}, {"acls": [{"action": "deny", "src": ["*"], "dst": ["*:*"]}]})
    assert error.value.message == 'acls[0]: action="deny" is not supported'


SELECTORS = [
    *("*", "tag:nas", "tag:web", "admin@example.com", "child@example.com", "group:all"),
    *("autogroup:member", "autogroup:tagged", "100.64.0.4", "100.64.0.0/30", "192.168.0.0/16"),
]
ends = st.lists(st.sampled_from(SELECTORS), max_size=3).map(tuple)
ports = st.lists(st.sampled_from(["*", "22", "tcp:80-90", "udp:53", "icmp:*"]), max_size=2)
grants = st.lists(
    st.builds(Grant, ends, ends | st.just(("autogroup:self",)), ports.map(tuple)), max_size=4
).map(tuple)
policies = st.builds(
    Policy, groups=st.just({"group:all": ("admin@example.com", "child@example.com")}), grants=grants
)


@given(policies)
def test_no_policy_differs_from_itself(policy: Policy) -> None:
    assert compare(policy, policy, WORLD, WORLD) == ()


@given(policies, policies)
def test_back_again_is_the_opposite(one: Policy, other: Policy) -> None:
    there = compare(one, other, WORLD, WORLD)
    back = compare(other, one, WORLD, WORLD)
    assert tuple(replace(c, gained=c.lost, lost=c.gained) for c in back) == there


@given(policies, grants)
def test_a_rule_more_takes_nothing_away(policy: Policy, more: tuple[Grant, ...]) -> None:
    wider = replace(policy, grants=(*more, *(policy.grants or ())))
    assert not any(change.lost for change in compare(policy, wider, WORLD, WORLD))


@given(policies, st.permutations(range(4)))
def test_the_order_of_rules_is_of_no_account(policy: Policy, order: list[int]) -> None:
    rules = policy.grants or ()
    moved = replace(policy, grants=tuple(rules[i] for i in order if i < len(rules)))
    assert compare(policy, moved, WORLD, WORLD) == ()


@given(policies)
def test_ports_and_reasons_agree(policy: Policy) -> None:
    rules = Rules(policy, WORLD)
    for source in (*WORLD.nodes, person("child@example.com")):
        for target in WORLD.nodes:
            for port, protocol in ((22, "tcp"), (85, "tcp"), (53, "udp"), (1, "sctp")):
                allowed = rules.ports(source, target).contains(port, protocol)
                assert allowed == bool(rules.reasons(source, target, port, protocol))
