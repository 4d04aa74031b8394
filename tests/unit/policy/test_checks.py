"""What a control plane would refuse: one case for each refusal that is foreseen."""

from __future__ import annotations

from typing import Any

import pytest

from paisctl.policy.checks import Control, problems
from paisctl.policy.parsing import parsed

BASE: dict[str, Any] = {
    "groups": {"group:admins": ["admin@example.com"]},
    "hosts": {"nas": "100.64.0.1", "lan": "192.168.1.0/24"},
    "tagOwners": {"tag:a": [], "tag:b": ["group:admins"]},
    "grants": [{"src": ["group:admins"], "dst": ["tag:a"], "ip": ["*"]}],
}
SELF = "autogroup:self can only be used with users, groups, or supported autogroups"
ALL = 'to allow all IP addresses, use "*" or "autogroup:internet"'


def said(changes: dict[str, Any], control: Control = "tailscale") -> list[tuple[Any, ...]]:
    """Path and message of each problem of the base policy with some sections replaced."""
    found = problems(parsed(BASE | changes), control)
    return [(*problem.path, problem.message) for problem in found]


def grant(**changes: Any) -> dict[str, Any]:
    return {"grants": [{"src": ["group:admins"], "dst": ["tag:a"], "ip": ["*"]} | changes]}


def acl(**changes: Any) -> dict[str, Any]:
    rule = {"action": "accept", "src": ["group:admins"], "dst": ["tag:a:22"]}
    return {"acls": [rule | changes]}


def ssh(**changes: Any) -> dict[str, Any]:
    rule = {"action": "accept", "src": ["group:admins"], "dst": ["tag:a"], "users": ["root"]}
    return {"ssh": [rule | changes]}


def case(**changes: Any) -> dict[str, Any]:
    return {"tests": [{"src": "group:admins", "accept": ["tag:a:22"]} | changes]}


GOOD: list[dict[str, Any]] = [
    {},
    grant(src=["*"], dst=["*", "nas", "lan", "10.0.0.0/8", "100.64.0.1", "fd7a:115c:a1e0::/48"]),
    grant(src=["autogroup:member", "autogroup:tagged", "autogroup:danger-all"]),
    grant(src=["someone@example.com", "nas", "10.0.0.1"], dst=["autogroup:internet"]),
    grant(src=["autogroup:member"], dst=["autogroup:self"]),
    grant(src=["admin@example.com", "group:admins"], dst=["autogroup:self"]),
    grant(ip=["80,443", "tcp:8000-8100", "icmp:*", "47"]),
    grant(ip=[], app={"example.com/cap/x": [{}]}),
    grant(app={"tailscale.com/cap/drive": [{}]}),
    grant(via=["tag:b"], dst=["lan"]),
    grant(src=[]),
    acl(src=["*"], dst=["autogroup:self:22"]),
    acl(dst=["tag:a:80,443", "nas:*", "[fd7a:115c:a1e0::1]:22"], proto="tcp"),
    acl(proto="icmp", dst=["tag:a:*"]),
    ssh(action="check", checkPeriod="168h"),
    ssh(action="check", checkPeriod="20h30m"),
    ssh(src=["tag:b"], dst=["tag:a"], users=["autogroup:nonroot", "root", "pi"]),
    ssh(src=["autogroup:member"], dst=["autogroup:self"]),
    ssh(src=["admin@example.com"], dst=["admin@example.com"]),
    case(deny=["nas:1", "100.64.0.9:65535", "[fd7a:115c:a1e0::1]:22", "group:admins:22"]),
    case(src="admin@example.com", proto="udp"),
    case(src="tag:a"),
    case(src="nas", proto="6"),
    {"autoApprovers": {"exitNode": ["tag:a"], "routes": {"10.0.0.0/8": ["group:admins"]}}},
    {"nodeAttrs": [{"target": ["tag:a", "*", "autogroup:member"], "attr": ["funnel"]}]},
    {"tagOwners": {"tag:a": ["tag:b"], "tag:b": ["tag:b", "admin@example.com"]}},
]


@pytest.mark.parametrize("changes", GOOD)
@pytest.mark.parametrize("control", ["tailscale", "headscale"])
def test_good_policies_have_no_problems(changes: dict[str, Any], control: Control) -> None:
    assert said(changes, control) == []


@pytest.mark.parametrize(
    "changes",
    [
        grant(src=["autogroup:admin", "autogroup:shared", "user:*@example.com"]),
        grant(src=["group:synced@example.com"], dst=["svc:web", "autogroup:it-admin"]),
        grant(srcPosture=["posture:new"]) | {"postures": {"posture:new": ["node:os == 'linux'"]}},
        grant(dst=["ipset:x"]) | {"ipsets": {"ipset:x": ["10.0.0.0/8"]}},
        {"tagOwners": {"tag:a": ["autogroup:admin"]}},
        {"tagOwners": {"tag:a": ["group:synced@example.com"]}},
        {"somethingNew": {}},
        ssh(checkPeriod="always", action="check"),
    ],
)
def test_what_only_tailscale_takes(changes: dict[str, Any]) -> None:
    assert said(changes, "tailscale") == []


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        (grant(src=["tag:x"]), ["src", 0], 'src=tag not found: "tag:x"'),
        (grant(dst=["tag:x"]), ["dst", 0], 'dst="tag:x": tag not found: "tag:x"'),
        (grant(dst=["tag:a", "tag:x"]), ["dst", 1], 'dst="tag:x": tag not found: "tag:x"'),
        (grant(src=["group:x"]), ["src", 0], 'src="group:x": group not found: "group:x"'),
        (grant(dst=["group:x"]), ["dst", 0], 'dst="group:x": group not found: "group:x"'),
        (grant(src=["box"]), ["src", 0], 'src="box": host not found: "box"'),
        (
            grant(dst=["10.0.0.0/33"]),
            ["dst", 0],
            'dst="10.0.0.0/33": host not found: "10.0.0.0/33"',
        ),
        (grant(dst=["ipset:x"]), ["dst", 0], 'dst="ipset:x": ipset not found'),
        (grant(src=["autogroup:x"]), ["src", 0], 'src="autogroup:x": unknown autogroup'),
        (
            grant(src=["autogroup:self"]),
            ["src", 0],
            '"autogroup:self" not valid on the src side of a rule',
        ),
        (
            grant(src=["autogroup:internet"]),
            ["src", 0],
            '"autogroup:internet" not valid on the src side of a rule',
        ),
        (
            grant(src=["autogroup:nonroot"]),
            ["src", 0],
            '"autogroup:nonroot" not valid on the src side of a rule',
        ),
        (
            grant(dst=["autogroup:shared"]),
            ["dst", 0],
            '"autogroup:shared" not valid on the dst side of a rule',
        ),
        (grant(src=["svc:x"]), ["src", 0], '"svc:x" not valid on the src side of a rule'),
        (
            grant(dst=["autogroup:danger-all"]),
            ["dst", 0],
            "cannot use autogroup:danger-all as a dst",
        ),
        (grant(dst=["0.0.0.0/0"]), ["dst", 0], f'dst "0.0.0.0/0": {ALL}'),
        (grant(dst=["::/0"]), ["dst", 0], f'dst "::/0": {ALL}'),
        (grant(src=["*"], dst=["autogroup:self"]), ["src"], SELF),
        (grant(src=["tag:a"], dst=["autogroup:self"]), ["src"], SELF),
        (grant(src=["nas"], dst=["autogroup:self"]), ["src"], SELF),
        (grant(src=["autogroup:tagged"], dst=["autogroup:self"]), ["src"], SELF),
        (grant(src=["group:admins", "tag:a"], dst=["autogroup:self", "tag:a"]), ["src"], SELF),
        (grant(ip=[]), [], "ip and app can not both be empty"),
        (grant(ip=[], app={}), [], "ip and app can not both be empty"),
        (grant(ip=["*", "icmp"]), ["ip", 1], 'port range "icmp": invalid first integer'),
        (
            grant(ip=["tcp:0"]),
            ["ip", 0],
            "port range \"0\": first port must be >0, or use '*' for wildcard",
        ),
        (
            grant(ip=["a:b:c"]),
            ["ip", 0],
            "expected only one colon in Internet protocol and port type",
        ),
        (
            grant(app={"https://example.com/cap": []}),
            ["app", "https://example.com/cap"],
            "capability name must have the form {domain}/{path}",
        ),
        (
            grant(app={"cap": []}),
            ["app", "cap"],
            "capability name must have the form {domain}/{path}",
        ),
        (
            grant(app={"tailscale.com/cap/funnel": []}),
            ["app", "tailscale.com/cap/funnel"],
            "capability name must not be in the tailscale.com domain",
        ),
        (
            grant(dst=["autogroup:internet"], app={"example.com/x": []}),
            ["app"],
            "cannot use app grants with autogroup:internet",
        ),
        (grant(via=["autogroup:tagged"]), ["via", 0], "via can only be a tag"),
        (grant(via=["tag:a", "tag:x"]), ["via", 1], 'tag "tag:x" not found'),
        (
            grant(srcPosture=["posture:x"]),
            ["srcPosture", 0],
            'posture not found: "posture:x"',
        ),
    ],
)
def test_grants(changes: dict[str, Any], where: list[Any], message: str) -> None:
    assert said(changes) == [("grants", 0, *where, message)]


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        (acl(action="deny"), ["action"], 'action="deny" is not supported'),
        (acl(action=""), ["action"], 'action="" is not supported'),
        (acl(src=["tag:x"]), ["src", 0], 'src=tag not found: "tag:x"'),
        (acl(dst=["tag:x:22"]), ["dst", 0], 'dst="tag:x": tag not found: "tag:x"'),
        (
            acl(dst=["tag:a:ssh"]),
            ["dst", 0],
            'dst="tag:a:ssh": port range "ssh": invalid first integer',
        ),
        (
            acl(src=["*"], dst=["autogroup:self"]),
            ["dst", 0],
            'dst="autogroup:self": port range "self": invalid first integer',
        ),
        (acl(dst=["tag:a"]), ["dst", 0], 'dst="tag:a": port range "a": invalid first integer'),
        (acl(src=["tag:a"], dst=["autogroup:self:*"]), ["src"], SELF),
        (acl(src=["nas"], dst=["autogroup:self:*"]), ["src"], SELF),
        (
            acl(proto="icmp"),
            ["dst", 0],
            'protocol does not support specific ports: "icmp", only "*" is allowed',
        ),
        (
            acl(proto="x"),
            ["dst", 0],
            (
                'proto name "x" not known; use protocol number 0-255 or '
                "protocol name (icmp, tcp, udp, etc.)"
            ),
        ),
        (acl(dst=["::/0:*"]), ["dst", 0], f'dst "::/0": {ALL}'),
    ],
)
def test_older_rules(changes: dict[str, Any], where: list[Any], message: str) -> None:
    assert said(changes) == [("acls", 0, *where, message)]


LETTER = "tag names must start with a letter, after 'tag:'"


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        (
            {"groups": {"group:admins": ["group:b"], "group:b": []}},
            ("groups", "group:admins", 0),
            'groups["group:admins"]: "group:b": group members cannot be recursive',
        ),
        (
            {"groups": {"group:admins": ["tag:a"]}},
            ("groups", "group:admins", 0),
            'groups["group:admins"]: "tag:a": group members can only be users',
        ),
        (
            {"groups": {"group:admins": ["*@example.com"]}},
            ("groups", "group:admins", 0),
            'groups["group:admins"]: "*@example.com": group members can only be users',
        ),
        (
            {"groups": {"group:admins": [], "admins": []}},
            ("groups", "admins"),
            "group must start with 'group:', got: \"admins\"",
        ),
        (
            {"hosts": {"nas": "box.example.com"}},
            ("hosts", "nas"),
            'hosts["nas"]: hostname contains invalid IP address: "box.example.com"',
        ),
        (
            {"hosts": {"nas": "autogroup:internet"}},
            ("hosts", "nas"),
            'hosts["nas"]: hostname contains invalid IP address: "autogroup:internet"',
        ),
        ({"hosts": {"a@b": "10.0.0.1"}}, ("hosts", "a@b"), 'hosts["a@b"]: invalid hostname'),
        (
            {"tagOwners": {"tag:a": [], "tag:1": []}},
            ("tagOwners", "tag:1"),
            f'tagOwners["tag:1"]: {LETTER}',
        ),
        (
            {"tagOwners": {"tag:a": [], "tag:сервер": []}},
            ("tagOwners", "tag:сервер"),
            f'tagOwners["tag:сервер"]: {LETTER}',
        ),
        (
            {"tagOwners": {"tag:a": [], "tag:a_b": []}},
            ("tagOwners", "tag:a_b"),
            'tagOwners["tag:a_b"]: tag names can only contain letters, numbers, and dashes',
        ),
        (
            {"tagOwners": {"tag:a": [], "b": []}},
            ("tagOwners", "b"),
            "tagOwners[\"b\"]: tag must start with 'tag:'",
        ),
        (
            {"tagOwners": {"tag:a": ["tag:x"]}},
            ("tagOwners", "tag:a", 0),
            'tag not found: "tag:x"',
        ),
        (
            {"tagOwners": {"tag:a": ["group:x"]}},
            ("tagOwners", "tag:a", 0),
            'group not found: "group:x"',
        ),
        (
            {"tagOwners": {"tag:a": ["autogroup:self"]}},
            ("tagOwners", "tag:a", 0),
            '"autogroup:self" cannot own a tag',
        ),
        (
            {"tagOwners": {"tag:a": ["nas"]}},
            ("tagOwners", "tag:a", 0),
            '"nas" is no user, group, tag or autogroup',
        ),
        (
            {"autoApprovers": {"exitNode": ["tag:x"]}},
            ("autoApprovers", "exitNode", 0),
            'tag not found: "tag:x"',
        ),
        (
            {"autoApprovers": {"routes": {"lan": ["tag:a"]}}},
            ("autoApprovers", "routes", "lan"),
            'invalid route: "lan"',
        ),
        (
            {"nodeAttrs": [{"target": ["tag:x"], "attr": ["funnel"]}]},
            ("nodeAttrs", 0, "target", 0),
            'tag not found: "tag:x"',
        ),
    ],
)
def test_definitions(changes: dict[str, Any], path: tuple[Any, ...], message: str) -> None:
    assert said(changes) == [(*path, message)]


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        (ssh(action=""), [], "action must be specified"),
        (ssh(action="deny"), ["action"], '"deny" is not a valid action'),
        (ssh(action="Accept"), ["action"], '"Accept" is not a valid action'),
        (ssh(users=[]), [], "users must be specified"),
        (ssh(users=["root", "*"]), ["users", 1], 'user "*" is not valid'),
        (ssh(users=[""]), ["users", 0], 'user "" is not valid'),
        (ssh(acceptEnv=[""]), ["acceptEnv", 0], "acceptEnv values cannot be empty"),
        (
            ssh(action="check", checkPeriod="200h"),
            ["checkPeriod"],
            "checkPeriod 200h0m0s is above the max (168h)",
        ),
        (
            ssh(action="check", checkPeriod="168h0m1s"),
            ["checkPeriod"],
            "checkPeriod 168h0m1s is above the max (168h)",
        ),
        (
            ssh(action="check", checkPeriod="-1m"),
            ["checkPeriod"],
            "checkPeriod -1m0s must be a positive duration",
        ),
        (
            ssh(action="check", checkPeriod="abc"),
            ["checkPeriod"],
            'time: invalid duration "abc"',
        ),
        (ssh(action="check", checkPeriod="7d"), ["checkPeriod"], 'time: invalid duration "7d"'),
        (
            ssh(action="check", src=["tag:b"]),
            ["action"],
            "an SSH rule from a tagged device cannot be in check mode",
        ),
        (ssh(src=["*"]), ["src", 0], 'invalid src "*"'),
        (ssh(src=["nas"]), ["src", 0], 'invalid src "nas"'),
        (ssh(src=["10.0.0.1"]), ["src", 0], 'invalid src "10.0.0.1"'),
        (ssh(src=["tag:x"]), ["src", 0], 'src=tag not found: "tag:x"'),
        (ssh(dst=["*"]), ["dst", 0], "wildcard (*) is not supported as SSH destination"),
        (ssh(dst=["nas"]), ["dst", 0], 'invalid dst "nas"'),
        (ssh(dst=["fd7a:115c:a1e0::1"]), ["dst", 0], 'invalid dst "fd7a:115c:a1e0::1"'),
        (ssh(dst=["group:admins"]), ["dst", 0], 'invalid dst "group:admins"'),
        (
            ssh(src=["tag:b"], dst=["autogroup:self"]),
            ["dst", 0],
            (
                "autogroup:self destination requires source to contain only users or groups, "
                "not tags or autogroup:tagged"
            ),
        ),
        (
            ssh(src=["tag:b"], dst=["admin@example.com"]),
            ["dst", 0],
            "tags in SSH source cannot access user-owned devices",
        ),
        (
            ssh(src=["group:admins"], dst=["admin@example.com"]),
            ["dst", 0],
            "user destination requires source to contain only that same user",
        ),
    ],
)
def test_ssh(changes: dict[str, Any], where: list[Any], message: str) -> None:
    assert said(changes) == [("ssh", 0, *where, message)]


@pytest.mark.parametrize(
    ("dst", "message"),
    [
        ("tag:a:22", 'SSH tests dst contains unknown tag "tag:a:22"'),
        ("100.64.0.0/24", 'SSH tests dst contains disallowed element "100.64.0.0/24"'),
        ("autogroup:internet", 'SSH tests dst contains disallowed element "autogroup:internet"'),
    ],
)
def test_ssh_tests(dst: str, message: str) -> None:
    section = [{"src": "admin@example.com", "dst": ["tag:a", dst], "accept": ["root"]}]
    assert said({"sshTests": section}) == [("sshTests", 0, "dst", 1, message)]


PORT = "test destination port must be a single port"


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        (case(src=""), ["src"], "src is empty"),
        (case(src="tag:x"), ["src"], 'tag not found: "tag:x"'),
        (case(src="group:x"), ["src"], 'group not found: "group:x"'),
        (case(src="box"), ["src"], 'host not found: "box"'),
        (case(src="*"), ["src"], '"*" is not one user, group, tag, host or address'),
        (
            case(src="autogroup:member"),
            ["src"],
            '"autogroup:member" is not one user, group, tag, host or address',
        ),
        (case(src="lan"), ["src"], "a test is about a single host, not a CIDR range"),
        (case(accept=[]), [], 'test entry must have at least one of "accept" or "deny"'),
        (case(proto="icmp"), ["proto"], 'test protocol must be tcp, udp, sctp, or empty: "icmp"'),
        (case(accept=["tag:a:*"]), ["accept", 0], f'"tag:a:*": {PORT}'),
        (case(accept=["tag:a:80,443"]), ["accept", 0], f'"tag:a:80,443": {PORT}'),
        (case(accept=["tag:a:80-90"]), ["accept", 0], f'"tag:a:80-90": {PORT}'),
        (case(accept=["tag:a:http"]), ["accept", 0], f'"tag:a:http": {PORT}'),
        (case(accept=["tag:a:-1"]), ["accept", 0], f'"tag:a:-1": {PORT}'),
        (case(accept=["tag:a:0"]), ["accept", 0], f'"tag:a:0": {PORT}'),
        (case(accept=["tag:a:99999"]), ["accept", 0], f'"tag:a:99999": {PORT}'),
        (case(accept=["tag:a"]), ["accept", 0], f'"tag:a": {PORT}'),
        (case(deny=["tag:x:22"]), ["deny", 0], '"tag:x:22": tag not found: "tag:x"'),
        (case(deny=["group:x:22"]), ["deny", 0], '"group:x:22": group not found: "group:x"'),
        (case(deny=["box:22"]), ["deny", 0], '"box:22": host not found: "box"'),
        (
            case(deny=["admin@example.com:22"]),
            ["deny", 0],
            '"admin@example.com:22": a user cannot be a test destination',
        ),
        (
            case(deny=["autogroup:internet:22"]),
            ["deny", 0],
            (
                '"autogroup:internet:22": "autogroup:internet" is not one user, group, tag, host or '
                "address"
            ),
        ),
        (
            case(deny=["10.0.0.0/8:22"]),
            ["deny", 0],
            '"10.0.0.0/8:22": a test is about a single host, not a CIDR range',
        ),
        (
            case(deny=["100.64.0.1/32:22"]),
            ["deny", 0],
            '"100.64.0.1/32:22": a test is about a single host, not a CIDR range',
        ),
        (
            case(deny=["lan:22"]),
            ["deny", 0],
            '"lan:22": a test is about a single host, not a CIDR range',
        ),
        (
            case(deny=["fd7a:115c:a1e0::1:22"]),
            ["deny", 0],
            '"fd7a:115c:a1e0::1:22": an IPv6 address stands in brackets',
        ),
    ],
)
def test_tests(changes: dict[str, Any], where: list[Any], message: str) -> None:
    assert said(changes) == [("tests", 0, *where, f"test(s) failed: {message}")]


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        (
            {"postures": {}},
            ("postures",),
            'unknown field: "postures"',
        ),
        (
            {"ipsets": {"ipset:x": []}},
            ("ipsets",),
            'unknown field: "ipsets"',
        ),
        (
            grant(srcPosture=["posture:x"]),
            ("grants", 0, "srcPosture"),
            'unknown field: "srcPosture"',
        ),
        (grant(new=1), ("grants", 0, "new"), 'unknown field: "new"'),
        (
            grant(src=["autogroup:admin"]),
            ("grants", 0, "src", 0),
            'autogroup not supported in headscale: "autogroup:admin"',
        ),
        (
            grant(src=["user:*@example.com"]),
            ("grants", 0, "src", 0),
            'src="user:*@example.com": Headscale has no such selectors',
        ),
        (
            grant(dst=["ipset:x"]),
            ("grants", 0, "dst", 0),
            'dst="ipset:x": Headscale has no such selectors',
        ),
        (
            grant(src=["group:x@example.com"]),
            ("grants", 0, "src", 0),
            'src="group:x@example.com": group not found: "group:x@example.com"',
        ),
        (
            {"tagOwners": {"tag:a": ["autogroup:admin"]}},
            ("tagOwners", "tag:a", 0),
            'invalid owner format: "autogroup:admin"',
        ),
        (
            ssh(checkPeriod="1h"),
            ("ssh", 0, "checkPeriod"),
            'checkPeriod is only valid with action "check"',
        ),
    ],
)
def test_what_headscale_does_not_know(
    changes: dict[str, Any], path: tuple[Any, ...], message: str
) -> None:
    assert said(changes, "headscale") == [(*path, message)]


def test_a_near_name_is_proposed() -> None:
    found = problems(parsed(BASE | grant(src=["group:admin"])), "tailscale")
    assert "did you mean `group:admins`?" in (found[0].hint or "")
