"""Headscale's endpoints, with the errors of either generation."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.controlplane.headscale import HeadscaleServer
from tests.controlplane.packet_filter import PacketFilter
from tests.unit.controlplane.household import DEVICES, LAPTOP, NAS, POLICY, TABLET, USERS

OTHER = '{"tagOwners": {"tag:nas": []}, "grants": []}'
BAD = '{"acls": [{"action": "deny", "src": ["*"], "dst": ["*:*"]}]}'
REFUSAL = 'action="deny" is not supported'


@pytest.fixture
def asking(http: httpx.Client, headscale: HeadscaleServer) -> Iterator[httpx.Client]:
    http.base_url = httpx.URL(f"{headscale.url}/api/v1")
    http.headers.update(headscale.authorization)
    yield http
    http.headers.pop("Authorization")


def test_the_policy(asking: httpx.Client, headscale: HeadscaleServer) -> None:
    told: list[PacketFilter] = []
    headscale.on_change(told.append)
    assert asking.get("/policy").json()["policy"] == POLICY
    assert asking.post("/policy/check", json={"policy": OTHER}).json() == {}
    assert headscale.policy == POLICY
    assert asking.put("/policy", json={"policy": OTHER}).json()["policy"] == OTHER
    assert headscale.policy == OTHER
    assert not told[-1].allows(LAPTOP, NAS, 22)


def test_refused_by_the_one_before(asking: httpx.Client, headscale: HeadscaleServer) -> None:
    refused = asking.put("/policy", json={"policy": BAD})
    assert refused.status_code == 500
    assert refused.json() == {"code": 2, "message": f"setting policy: {REFUSAL}", "details": []}
    checked = asking.post("/policy/check", json={"policy": "{,}"})
    assert checked.status_code == 400
    assert "parsing HuJSON: hujson: line 1, column 2:" in checked.json()["message"]
    assert headscale.policy == POLICY


def test_refused_by_the_next(http: httpx.Client) -> None:
    with HeadscaleServer(policy=POLICY, generation="0.30") as server:
        url = f"{server.url}/api/v1/policy"
        refused = http.put(url, json={"policy": BAD}, headers=server.authorization)
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.json() == {
            "title": "Bad Request",
            "status": 400,
            "detail": "setting policy",
            "errors": [{"message": REFUSAL}],
        }
        assert http.get(url).json()["title"] == "Unauthorized"


@pytest.mark.parametrize(("generation", "status"), [("0.29", 500), ("0.30", 400)])
def test_a_policy_in_a_file_stays(http: httpx.Client, generation: str, status: int) -> None:
    server = HeadscaleServer(policy=POLICY, mode="file")
    server.generation = "0.29" if generation == "0.29" else "0.30"
    with server:
        url = f"{server.url}/api/v1/policy"
        assert http.get(url, headers=server.authorization).json()["updatedAt"] is None
        refused = http.put(url, json={"policy": OTHER}, headers=server.authorization)
        assert refused.status_code == status
        assert "update is disabled for modes other than 'database'" in refused.text
        assert server.policy == POLICY


def test_without_a_policy_everything_is_allowed(http: httpx.Client) -> None:
    with HeadscaleServer(devices=DEVICES, users=USERS) as server:
        shown = http.get(f"{server.url}/api/v1/policy", headers=server.authorization)
        assert shown.status_code == 500
        assert shown.json()["message"] == "loading ACL from database: acl policy not found"
        assert server.packet_filter().allows(LAPTOP, NAS, 22)


def test_nodes_and_tags(asking: httpx.Client, headscale: HeadscaleServer) -> None:
    nodes = asking.get("/node").json()["nodes"]
    assert [each["id"] for each in nodes] == ["1", "2", "3", "4", "5", "6"]
    assert (nodes[0]["user"]["email"], nodes[3]["user"]["name"]) == (
        "owner@example.com",
        "tagged-devices",
    )
    tagged = asking.post("/node/1/tags", json={"tags": ["tag:nas"]}).json()["node"]
    assert tagged["tags"] == ["tag:nas"]
    assert not headscale.packet_filter().allows(LAPTOP, NAS, 22)
    refused = asking.post("/node/1/tags", json={"tags": ["tag:x"]})
    assert refused.status_code == 400
    assert refused.json()["message"] == "requested tags [tag:x] are invalid or not permitted"
    assert "cannot remove all tags" in asking.post("/node/1/tags", json={"tags": []}).text
    assert asking.post("/node/9/tags", json={"tags": ["tag:nas"]}).status_code == 404


def test_users_and_keys(asking: httpx.Client) -> None:
    (child,) = asking.get("/user", params={"email": "child@example.com"}).json()["users"]
    assert child["id"] == "3"
    made = asking.post("/preauthkey", json={"aclTags": ["tag:nas"], "reusable": False})
    assert made.json()["preAuthKey"]["key"].startswith("hskey-auth-")
    (listed,) = asking.get("/preauthkey").json()["preAuthKeys"]
    assert "notasecret" not in listed["key"]
    assert asking.post("/preauthkey", json={}).status_code == 500


def test_nobody_without_a_key(http: httpx.Client, headscale: HeadscaleServer) -> None:
    refused = http.get(f"{headscale.url}/api/v1/policy")
    assert (refused.status_code, refused.text) == (401, "Unauthorized")


def test_people_are_named_by_address_or_by_name(headscale: HeadscaleServer) -> None:
    for name in ("owner@", "owner@example.com"):
        rule = {"src": ["group:a", name], "dst": ["tag:nas"], "ip": ["22"]}
        groups = {"group:a": ["child@"]}
        policy = {"tagOwners": {"tag:nas": []}, "groups": groups, "grants": [rule]}
        headscale.edit_by_hand(json.dumps(policy))
        compiled = headscale.packet_filter()
        assert compiled.allows(LAPTOP, NAS, 22)
        assert compiled.allows(TABLET, NAS, 22)
