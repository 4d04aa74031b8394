"""Questions of one's own to the packet filter, with the documented rule that decides each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controlplane import ports
from tests.controlplane.packet_filter import FilterRule, PacketFilter, compile_policy
from tests.controlplane.selectors import EVERYTHING
from tests.controlplane.tailnet import Device, Tailnet
from tests.unit.controlplane.household import (
    BOX,
    CHILD,
    LAPTOP,
    NAS,
    OWNER,
    PHONE,
    ROUTER,
    TABLET,
    TAILNET,
)

BASE = {
    "groups": {"group:admins": [OWNER], "group:empty": []},
    "hosts": {"nas": NAS, "printer": "192.168.7.9", "lan": "192.168.7.0/24"},
    "tagOwners": {"tag:nas": [], "tag:box": [], "tag:server": [], "tag:router": []},
}
NAS6, LAPTOP6 = "fd7a:115c:a1e0::10", "fd7a:115c:a1e0::1"


def grant(src: str, dst: str, *ip: str) -> dict[str, Any]:
    return {"grants": [{"src": [src], "dst": [dst], "ip": list(ip or ("*",))}]}


def acl(src: str, dst: str, **more: str) -> dict[str, Any]:
    return {"acls": [{"action": "accept", "src": [src], "dst": [dst], **more}]}


# rules, source, target, port, protocol, whether it gets through
QUESTIONS: dict[str, tuple[dict[str, Any], str, str, int, str, bool]] = {
    # without rules, with none
    "neither key allows all": ({}, TABLET, NAS, 22, "tcp", True),
    "no grants allow nothing": ({"grants": []}, LAPTOP, NAS, 22, "tcp", False),
    "no acls allow nothing": ({"acls": []}, LAPTOP, NAS, 22, "tcp", False),
    # users and groups
    "a login is its devices": (grant(OWNER, "tag:nas"), PHONE, NAS, 22, "tcp", True),
    "and nobody else's": (grant(OWNER, "tag:nas"), TABLET, NAS, 22, "tcp", False),
    "a login as target": (grant("*", OWNER), TABLET, PHONE, 22, "tcp", True),
    "tagged: no longer hers": (grant("*", OWNER), TABLET, NAS, 22, "tcp", False),
    "tagged: not she as source": (grant(OWNER, "tag:nas"), BOX, NAS, 22, "tcp", False),
    "a group": (grant("group:admins", "tag:nas"), LAPTOP, NAS, 22, "tcp", True),
    "not in the group": (grant("group:admins", "tag:nas"), TABLET, NAS, 22, "tcp", False),
    "an empty group": (grant("group:empty", "tag:nas"), LAPTOP, NAS, 22, "tcp", False),
    "everybody of a domain": (grant("user:*@example.com", NAS), TABLET, NAS, 22, "tcp", True),
    # tags
    "a tag as source": (grant("tag:box", "tag:nas"), BOX, NAS, 22, "tcp", True),
    "one of two tags": (grant("*", "tag:server"), LAPTOP, BOX, 22, "tcp", True),
    "another tag": (grant("*", "tag:server"), LAPTOP, NAS, 22, "tcp", False),
    "no way back": (grant("tag:box", "tag:nas"), NAS, BOX, 22, "tcp", False),
    # hosts and networks
    "an alias": (grant("*", "nas"), TABLET, NAS, 22, "tcp", True),
    "an alias is one address": (grant("*", "nas"), LAPTOP6, NAS6, 22, "tcp", False),
    "an alias of a network": (grant(OWNER, "lan"), LAPTOP, "192.168.7.9", 80, "tcp", True),
    "beside the network": (grant(OWNER, "lan"), LAPTOP, "192.168.8.9", 80, "tcp", False),
    "a network written out": (
        grant(OWNER, "192.168.7.0/28"),
        LAPTOP,
        "192.168.7.9",
        80,
        "tcp",
        True,
    ),
    "an address as source": (grant(TABLET, "tag:nas"), TABLET, NAS, 22, "tcp", True),
    "a network as source": (grant("lan", "tag:nas"), "192.168.7.9", NAS, 22, "tcp", True),
    "a tag is not its routes": (grant("*", "tag:router"), LAPTOP, "192.168.7.9", 80, "tcp", False),
    "IPv6": (grant(OWNER, "tag:nas"), LAPTOP6, NAS6, 22, "tcp", True),
    "never across families": (grant("*", "*"), LAPTOP, NAS6, 22, "tcp", False),
    # the star
    "* is all devices": (grant("*", "*"), TABLET, NAS, 22, "tcp", True),
    "* and what is routed": (grant("*", "*"), TABLET, "192.168.7.9", 22, "tcp", True),
    "* is not the internet": (grant("*", "*"), TABLET, "1.1.1.1", 22, "tcp", False),
    "* from a routed network": (grant("*", "tag:nas"), "192.168.7.9", NAS, 22, "tcp", True),
    "* not from elsewhere": (grant("*", "tag:nas"), "203.0.113.9", NAS, 22, "tcp", False),
    "danger-all from elsewhere": (
        grant("autogroup:danger-all", "tag:nas"),
        "203.0.113.9",
        NAS,
        22,
        "tcp",
        True,
    ),
    # autogroups
    "members": (grant("autogroup:member", "tag:nas"), TABLET, NAS, 22, "tcp", True),
    "a tag is no member": (grant("autogroup:member", "tag:nas"), BOX, NAS, 22, "tcp", False),
    "tagged": (grant("autogroup:tagged", "tag:nas"), BOX, NAS, 22, "tcp", True),
    "a person is not tagged": (grant("autogroup:tagged", "tag:nas"), LAPTOP, NAS, 22, "tcp", False),
    "the owner": (grant("autogroup:owner", "tag:nas"), LAPTOP, NAS, 22, "tcp", True),
    "a child is no owner": (grant("autogroup:owner", "tag:nas"), TABLET, NAS, 22, "tcp", False),
    "oneself": (grant(OWNER, "autogroup:self"), LAPTOP, PHONE, 22, "tcp", True),
    "oneself, not others": (
        grant("autogroup:member", "autogroup:self"),
        LAPTOP,
        TABLET,
        22,
        "tcp",
        False,
    ),
    "oneself, not one's servers": (grant(OWNER, "autogroup:self"), LAPTOP, NAS, 22, "tcp", False),
    "no exit node": (grant("*", "autogroup:internet"), LAPTOP, "1.1.1.1", 443, "tcp", False),
    # ports and protocols
    "the port": (grant("*", NAS, "443"), LAPTOP, NAS, 443, "tcp", True),
    "another port": (grant("*", NAS, "443"), LAPTOP, NAS, 444, "tcp", False),
    "a port without protocol: UDP too": (grant("*", NAS, "53"), LAPTOP, NAS, 53, "udp", True),
    "a port without protocol: ping": (grant("*", NAS, "53"), LAPTOP, NAS, 0, "icmp", True),
    "a port without protocol: no SCTP": (grant("*", NAS, "53"), LAPTOP, NAS, 53, "sctp", False),
    "TCP is not UDP": (grant("*", NAS, "tcp:53"), LAPTOP, NAS, 53, "udp", False),
    "first of a range": (grant("*", NAS, "udp:53-60"), LAPTOP, NAS, 53, "udp", True),
    "last of a range": (grant("*", NAS, "udp:53-60"), LAPTOP, NAS, 60, "udp", True),
    "beyond a range": (grant("*", NAS, "udp:53-60"), LAPTOP, NAS, 61, "udp", False),
    "ping only": (grant("*", NAS, "icmp:*"), LAPTOP, NAS, 0, "icmp", True),
    "ping only: no TCP": (grant("*", NAS, "icmp:*"), LAPTOP, NAS, 22, "tcp", False),
    "a protocol by number": (grant("*", NAS, "17:53"), LAPTOP, NAS, 53, "udp", True),
    "without ports": (grant("*", NAS, "47:*"), LAPTOP, NAS, 0, "gre", True),
    "without ports, by no number": (grant("*", NAS, "22"), LAPTOP, NAS, 0, "gre", False),
    "an app gives no port": (
        {"grants": [{"src": ["*"], "dst": ["*"], "app": {"example.com/cap/x": [{}]}}]},
        LAPTOP,
        NAS,
        22,
        "tcp",
        False,
    ),
    # legacy rules
    "an ACL": (acl(OWNER, "tag:nas:22"), LAPTOP, NAS, 22, "tcp", True),
    "an ACL's other port": (acl(OWNER, "tag:nas:22"), LAPTOP, NAS, 23, "tcp", False),
    "a list of ports": (acl(OWNER, "tag:nas:22,80-90"), LAPTOP, NAS, 85, "tcp", True),
    "an ACL's protocol": (acl("*", "nas:53", proto="udp"), LAPTOP, NAS, 53, "tcp", False),
    "an address in brackets": (acl("*", f"[{NAS6}]:22"), LAPTOP6, NAS6, 22, "tcp", True),
    "an address without brackets": (acl("*", f"{NAS6}:22"), LAPTOP6, NAS6, 22, "tcp", True),
    "users and ports of old": (
        {"acls": [{"action": "accept", "users": [CHILD], "ports": ["tag:box:80"]}]},
        TABLET,
        BOX,
        80,
        "tcp",
        True,
    ),
    "both kinds add up, this": (
        grant(OWNER, NAS, "22") | acl(CHILD, "tag:nas:445"),
        LAPTOP,
        NAS,
        22,
        "tcp",
        True,
    ),
    "both kinds add up, that": (
        grant(OWNER, NAS, "22") | acl(CHILD, "tag:nas:445"),
        TABLET,
        NAS,
        445,
        "tcp",
        True,
    ),
    "both kinds do not mix": (
        grant(OWNER, NAS, "22") | acl(CHILD, "tag:nas:445"),
        TABLET,
        NAS,
        22,
        "tcp",
        False,
    ),
    # via
    "through a router": (
        {"grants": [{"src": ["*"], "dst": ["lan"], "ip": ["*"], "via": ["tag:router"]}]},
        LAPTOP,
        "192.168.7.9",
        22,
        "tcp",
        True,
    ),
    "through one that is no router": (
        {"grants": [{"src": ["*"], "dst": ["lan"], "ip": ["*"], "via": ["tag:box"]}]},
        LAPTOP,
        "192.168.7.9",
        22,
        "tcp",
        False,
    ),
    "the router itself": (grant("*", "tag:router"), LAPTOP, ROUTER, 22, "tcp", True),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_question(question: tuple[dict[str, Any], str, str, int, str, bool]) -> None:
    policy, source, target, port, protocol, expected = question
    assert compile_policy(BASE | policy, TAILNET).allows(source, target, port, protocol) is expected


def test_an_exit_node_opens_the_internet_and_nothing_private() -> None:
    exit_node = Device("exit", ("100.64.0.20",), routes=("0.0.0.0/0", "::/0"))
    tailnet = Tailnet((*TAILNET.devices, exit_node), TAILNET.users)
    compiled = compile_policy(grant(OWNER, "autogroup:internet"), tailnet)
    assert compiled.allows(LAPTOP, "1.1.1.1", 443)
    assert not compiled.allows(LAPTOP, "192.168.7.9", 443)
    assert not compiled.allows(LAPTOP, NAS, 443)
    assert not compiled.allows(TABLET, "1.1.1.1", 443)


def test_what_has_no_ports_needs_a_rule_for_all_of_them() -> None:
    everything, one = (ports.EVERY,), ((22, 22),)
    for numbers, expected in ((everything, True), (one, False)):
        line = FilterRule(EVERYTHING, EVERYTHING, numbers, frozenset({47}))
        assert PacketFilter((line,)).allows(LAPTOP, NAS, 0, "gre") is expected
