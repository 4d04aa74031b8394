"""Each text of a refusal that was captured from the control plane, and those made like them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.controlplane.headscale import HeadscaleServer
from tests.controlplane.server import TailscaleServer
from tests.unit.controlplane.household import CHILD, OWNER

TAGS: dict[str, list[str]] = {"tag:server": [], "tag:client": []}
ALL = {"src": ["*"], "dst": ["*"], "ip": ["*"]}
SELF = "autogroup:self can only be used with users, groups, or supported autogroups"


def acl(dst: str, src: str = "*", **more: str) -> dict[str, Any]:
    return {"acls": [{"action": "accept", "src": [src], "dst": [dst], **more}]}


def grant(**parts: Any) -> dict[str, Any]:
    return {"grants": [ALL | parts]}


def ssh(**parts: Any) -> dict[str, Any]:
    rule = {
        "action": "accept",
        "src": ["autogroup:member"],
        "dst": ["tag:server"],
        "users": ["root"],
    }
    return {"ssh": [rule | parts]}


CAPTURED: list[tuple[dict[str, Any], str]] = [
    (
        {"acls": [{"action": "deny", "src": ["*"], "dst": ["*:*"]}]},
        'action="deny" is not supported',
    ),
    (acl("tag:x:22"), 'dst="tag:x": tag not found: "tag:x"'),
    (acl("*:*", "tag:x"), 'src=tag not found: "tag:x"'),
    (grant(src=["tag:x"]), 'src=tag not found: "tag:x"'),
    (
        {"groups": {"group:a": ["group:b"], "group:b": []}},
        'groups["group:a"]: "group:b": group members cannot be recursive',
    ),
    (acl("tag:server:ssh"), 'dst="tag:server:ssh": port range "ssh": invalid first integer'),
    (acl("autogroup:self"), 'dst="autogroup:self": port range "self": invalid first integer'),
    (grant(ip=["icmp"]), 'port range "icmp": invalid first integer'),
    (grant(ip=["tcp:0"]), "port range \"0\": first port must be >0, or use '*' for wildcard"),
    (acl("*:*", "autogroup:self"), '"autogroup:self" not valid on the src side of a rule'),
    (grant(src=["autogroup:self"]), '"autogroup:self" not valid on the src side of a rule'),
    (grant(dst=["autogroup:danger-all"]), "cannot use autogroup:danger-all as a dst"),
    (grant(dst=["autogroup:self"]), SELF),
    (acl("autogroup:self:*", "tag:server"), SELF),
    (acl("autogroup:self:*", "100.64.0.1"), SELF),
    (acl("autogroup:self:*", "autogroup:tagged"), SELF),
    (
        {"tagOwners": {"tag:1st": []}},
        "tagOwners[\"tag:1st\"]: tag names must start with a letter, after 'tag:'",
    ),
    (grant(ip=[]), "ip and app can not both be empty"),
    (
        grant(dst=["0.0.0.0/0"]),
        'dst "0.0.0.0/0": to allow all IP addresses, use "*" or "autogroup:internet"',
    ),
    (grant(dst=["::/0"]), 'dst "::/0": to allow all IP addresses, use "*" or "autogroup:internet"'),
    (
        grant(dst=["autogroup:internet"], app={"example.com/cap/a": [{}]}),
        "cannot use app grants with autogroup:internet",
    ),
    (
        grant(app={"https://example.com/cap/a": [{}]}),
        "capability name must have the form {domain}/{path}",
    ),
    (
        grant(app={"tailscale.com/cap/funnel": [{}]}),
        "capability name must not be in the tailscale.com domain",
    ),
    (grant(via=["autogroup:tagged"]), "via can only be a tag"),
    (grant(via=["tag:x"]), 'tag "tag:x" not found'),
    ({"nodeAttrs": [{"target": ["%x%"], "attr": ["funnel"]}]}, '"%x%": invalid address'),
    ({"nodeAttrs": [{"target": ["tag:x"], "attr": ["funnel"]}]}, 'tag not found: "tag:x"'),
    (ssh(action=""), "action must be specified"),
    (ssh(action="deny"), '"deny" is not a valid action'),
    (ssh(users=[]), "users must be specified"),
    (ssh(users=["*"]), 'user "*" is not valid'),
    (ssh(acceptEnv=[""]), "acceptEnv values cannot be empty"),
    (ssh(action="check", checkPeriod="abc"), 'time: invalid duration "abc"'),
    (ssh(action="check", checkPeriod="-1m"), "checkPeriod -1m0s must be a positive duration"),
    (ssh(action="check", checkPeriod="200h"), "checkPeriod 200h0m0s is above the max (168h)"),
    (ssh(action="check", checkPeriod="168h0m1s"), "checkPeriod 168h0m1s is above the max (168h)"),
    (
        ssh(users=["localpart:*@nowhere.invalid"]),
        (
            "nowhere.invalid is not associated with this Tailnet "
            "and cannot be used in user:*@<domain> expressions"
        ),
    ),
    (ssh(dst=["srv"]) | {"hosts": {"srv": "100.64.0.9"}}, 'invalid dst "srv"'),
    (
        {"sshTests": [{"src": OWNER, "dst": ["autogroup:internet"], "accept": ["root"]}]},
        'SSH tests dst contains disallowed element "autogroup:internet"',
    ),
    (
        {"sshTests": [{"src": OWNER, "dst": ["tag:server:22"], "accept": ["root"]}]},
        'SSH tests dst contains unknown tag "tag:server:22"',
    ),
]

# Not captured: made like their kind.
ALIKE: list[tuple[dict[str, Any], str]] = [
    (grant(dst=["tag:x"]), 'dst="tag:x": tag not found: "tag:x"'),
    (grant(src=["group:x"]), 'src=group not found: "group:x"'),
    (grant(src=["phantom"]), 'src="phantom": invalid address'),
    (grant(src=["autogroup:internet"]), '"autogroup:internet" not valid on the src side of a rule'),
    (grant(dst=["autogroup:shared"]), '"autogroup:shared" not valid on the dst side of a rule'),
    (grant(ip=["99999"]), 'port range "99999": invalid first integer'),
    (
        grant(ip=["icmp:80"]),
        'protocol does not support specific ports: "icmp", only "*" is allowed',
    ),
    ({"hosts": {"a": "b"}}, 'hosts["a"]: "b": invalid address'),
    ({"tagOwners": {"tag:a": ["group:x"]}}, 'tagOwners["tag:a"]: group not found: "group:x"'),
    ({"groups": {"group:a": ["tag:server"]}}, 'groups["group:a"]: "tag:server": invalid user'),
    ({"rules": []}, 'json: unknown field "rules"'),
    (
        {"grants": [{"src": "*", "dst": ["*"], "ip": ["*"]}]},
        "json: cannot unmarshal string into field grants[0].src of type array",
    ),
]


def post(
    http: httpx.Client, server: TailscaleServer, policy: dict[str, Any] | str, path: str = "acl"
) -> httpx.Response:
    text = policy if isinstance(policy, str) else json.dumps(policy)
    url = f"{server.url}/api/v2/tailnet/-/{path}"
    return http.post(url, content=text, headers=server.authorization)


@pytest.mark.parametrize(("policy", "message"), CAPTURED + ALIKE)
def test_a_policy_is_refused(
    http: httpx.Client, tailscale: TailscaleServer, policy: dict[str, Any], message: str
) -> None:
    before = tailscale.policy
    refused = post(http, tailscale, {"tagOwners": TAGS} | policy)
    assert (refused.status_code, refused.json()) == (400, {"message": message})
    told = post(http, tailscale, {"tagOwners": TAGS} | policy, "acl/validate")
    assert (told.status_code, told.json()["message"]) == (200, message)
    assert tailscale.policy == before


def check(target: str, kind: str = "accept", **more: Any) -> dict[str, Any]:
    return {"src": OWNER, kind: [target], **more}


@pytest.mark.parametrize(
    ("one", "error"),
    [
        (check("tag:server:22"), 'address "tag:server:22": want: Accept, got: Drop'),
        (check("tag:server:80", "deny"), 'address "tag:server:80": want: Drop, got: Accept'),
        (check("tag:server:80", proto="udp"), 'address "tag:server:80": want: Accept, got: Drop'),
        (check("tag:server:80", src=CHILD), 'address "tag:server:80": want: Accept, got: Drop'),
        (check("tag:server:80-81"), "single port"),
        (check("tag:server:80,81"), "single port"),
        (check("tag:server:*"), "single port"),
        (check("tag:server:99999"), "single port"),
        (check("tag:server:-1", "deny"), "single port"),
        (check("100.64.0.11/32:80"), "single host"),
        (check("*:80"), "single host"),
        (check("autogroup:internet:80", "deny"), "single host"),
        (check("autogroup:self:80", "deny"), "single host"),
        (check(f"{OWNER}:80", "deny"), "single host"),
        (check("lan:80", "deny"), "single host, not a CIDR range"),
        (check("tag:x:80", "deny"), "resolved to no IP addresses"),
        (check("phantom:80", "deny"), "invalid address"),
        (check("tag:server:80", src="ghost@nowhere.invalid"), "resolved to no IP addresses"),
        (check("tag:server:80", src=""), "invalid address"),
        (check("tag:server:80", proto="icmp"), "test protocol must be tcp, udp, sctp, or empty"),
        ({"src": OWNER}, "at least one of"),
    ],
)
def test_a_failing_test_fails_the_whole_file(
    http: httpx.Client, tailscale: TailscaleServer, one: dict[str, Any], error: str
) -> None:
    rules = {"grants": [{"src": [OWNER], "dst": ["tag:server"], "ip": ["tcp:80"]}]}
    hosts = {"lan": "192.168.7.0/24"}
    good = check("tag:server:80")
    refused = post(
        http, tailscale, {"tagOwners": TAGS, "hosts": hosts, **rules, "tests": [good, one]}
    )
    assert refused.status_code == 400
    assert refused.json()["message"] == "test(s) failed"
    (data,) = refused.json()["data"]
    assert data["user"] == one["src"]
    assert error in data["errors"][0]


def test_one_who_gets_through_is_enough_to_break_a_deny(
    http: httpx.Client, tailscale: TailscaleServer
) -> None:
    policy = {
        "groups": {"group:both": [OWNER, CHILD]},
        "tagOwners": TAGS,
        "grants": [{"src": [OWNER], "dst": ["tag:server"], "ip": ["tcp:80"]}],
    }
    for kind, got in (("deny", "Accept"), ("accept", "Drop")):
        tests = [{"src": "group:both", kind: ["tag:server:80"]}]
        refused = post(http, tailscale, policy | {"tests": tests}).json()
        assert refused["data"][0]["errors"][0].endswith(f"got: {got}")


def test_ssh_tests(http: httpx.Client, tailscale: TailscaleServer) -> None:
    rules = ssh(action="check", src=[OWNER], users=["autogroup:nonroot"])
    common = {"src": OWNER, "dst": ["tag:server"]}
    for parts, held in (
        ({"check": ["pi"], "deny": ["root"]}, True),
        ({"accept": ["pi"]}, True),
        ({"accept": ["root"]}, False),
        ({"deny": ["pi"]}, False),
        ({"check": ["pi"], "src": CHILD}, False),
        ({}, False),
    ):
        policy = {"tagOwners": TAGS, **rules, "sshTests": [common | parts]}
        assert post(http, tailscale, policy).status_code == (200 if held else 400)


def test_who_has_no_device_yet_is_tested_all_the_same(
    http: httpx.Client, tailscale: TailscaleServer
) -> None:
    newcomer = "new@example.com"
    policy = {
        "groups": {"group:new": [newcomer]},
        "tagOwners": {"tag:planned": []},
        "grants": [{"src": ["group:new"], "dst": ["tag:planned"], "ip": ["443"]}],
        "tests": [{"src": newcomer, "accept": ["tag:planned:443"], "deny": ["tag:planned:22"]}],
    }
    assert post(http, tailscale, policy).status_code == 200
    warned = post(http, tailscale, policy, "acl/validate").json()
    assert warned == {
        "message": "warning(s) found",
        "data": [{"user": "group:new", "warnings": [f'user not found: "{newcomer}"']}],
    }


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"grants": [1 2]}', "line 1, column 15: "),
        ("# comment\n{}", "line 1, column 1: "),
        ('{\n  "a": tru\n}', "line 2, column 8: "),
        ("{'grants': []}", "line 1, column 2: "),
        ('{\n  // fine\n  "grants": [],,\n}', "line 3, column 16: "),
    ],
)
def test_what_is_no_hujson_is_told_with_its_place(
    http: httpx.Client, tailscale: TailscaleServer, text: str, where: str
) -> None:
    for path in ("acl", "acl/validate", "acl/preview?type=user&previewFor=a@example.com"):
        refused = post(http, tailscale, text, path)
        assert refused.status_code == 400
        assert refused.json()["message"].startswith(where)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"postures": {}}, 'unknown field: "postures"'),
        (grant(srcPosture=["posture:x"]), 'unknown field: "srcPosture"'),
        (grant(src=["group:x"]), 'src=group not defined in policy: "group:x"'),
        (grant(src=["autogroup:admin"]), '"autogroup:admin" not valid on the src side of a rule'),
        (
            {
                "groups": {"group:new": ["new@example.com"]},
                "tests": [{"src": "group:new", "accept": ["tag:server:22"]}],
            },
            'test(s) failed:\ngroup:new: "group:new" resolved to no IP addresses',
        ),
    ],
)
def test_headscale_refuses_more(
    http: httpx.Client, headscale: HeadscaleServer, policy: dict[str, Any], message: str
) -> None:
    url = f"{headscale.url}/api/v1/policy/check"
    body = {"policy": json.dumps({"tagOwners": TAGS} | policy)}
    refused = http.post(url, json=body, headers=headscale.authorization)
    assert refused.status_code == 400
    assert refused.json() == {"code": 3, "message": message, "details": []}
