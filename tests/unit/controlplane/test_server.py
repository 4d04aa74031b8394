"""The endpoints of Tailscale's control plane, and what they answer to whom."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.controlplane.credentials import Credential
from tests.controlplane.packet_filter import PacketFilter
from tests.controlplane.server import DEFAULT_POLICY, OAUTH_CLIENT, TailscaleServer
from tests.unit.controlplane.household import BOX, CHILD, DEVICES, LAPTOP, NAS, OWNER, POLICY, USERS

OTHER = '// Nothing for anybody.\n{"tagOwners": {"tag:nas": []}, "grants": []}\n'
ACL = "/api/v2/tailnet/-/acl"


@pytest.fixture
def asking(http: httpx.Client, tailscale: TailscaleServer) -> Iterator[httpx.Client]:
    http.base_url = httpx.URL(tailscale.url)
    http.headers.update(tailscale.authorization)
    yield http
    http.headers.pop("Authorization")


def test_the_text_is_kept_as_it_was_posted(asking: httpx.Client) -> None:
    shown = asking.get(ACL, headers={"Accept": "application/hujson"})
    assert (shown.text, shown.headers["Content-Type"]) == (POLICY, "application/hujson")
    assert shown.headers["ETag"] == f'"{hashlib.sha256(POLICY.encode()).hexdigest()}"'
    plain = asking.get(ACL, headers={"Accept": "application/json"})
    assert plain.json()["hosts"]["printer"] == "192.168.7.9"
    assert plain.headers["ETag"] == shown.headers["ETag"]


def test_a_set_wants_the_tag_of_what_was_read(
    asking: httpx.Client, tailscale: TailscaleServer
) -> None:
    tag = asking.get(ACL).headers["ETag"]
    for wrong in ('"ts-default"', '"0000"', tag.strip('"')):
        refused = asking.post(ACL, content=OTHER, headers={"If-Match": wrong})
        assert refused.status_code == 412
        assert refused.json() == {"message": "precondition failed, invalid old hash"}
    assert tailscale.policy == POLICY
    taken = asking.post(ACL, content=OTHER, headers={"If-Match": tag})
    assert (taken.status_code, taken.text) == (200, OTHER)
    assert taken.headers["ETag"] == f'"{tailscale.etag}"' != tag


def test_the_untouched_default_has_a_tag_of_its_own(http: httpx.Client) -> None:
    with TailscaleServer() as server:
        headers = server.authorization | {"If-Match": '"ts-default"'}
        assert http.get(server.url + ACL, headers=headers).text == DEFAULT_POLICY
        assert http.post(server.url + ACL, content=OTHER, headers=headers).status_code == 200
        assert http.post(server.url + ACL, content=OTHER, headers=headers).status_code == 412


def test_details_have_warnings(asking: httpx.Client, tailscale: TailscaleServer) -> None:
    tailscale.edit_by_hand('{"groups": {"group:a": ["ghost@example.com"]}}')
    details = asking.get(ACL, params={"details": "true"}).json()
    assert base64.b64decode(details["acl"]).decode() == tailscale.policy
    assert details["warnings"] == ['"group:a": user not found: "ghost@example.com"']
    assert details["errors"] is None


def test_validate_takes_a_policy_or_tests(asking: httpx.Client, tailscale: TailscaleServer) -> None:
    assert asking.post(f"{ACL}/validate", content=POLICY).json() == {}
    good = [{"src": OWNER, "accept": ["tag:nas:22"]}]
    assert asking.post(f"{ACL}/validate", json=good).json() == {}
    bad = [{"src": CHILD, "accept": ["tag:nas:22"]}]
    told = asking.post(f"{ACL}/validate", json=bad)
    assert (told.status_code, told.json()["message"]) == (200, "test(s) failed")
    errors = ['address "tag:nas:22": want: Accept, got: Drop']
    assert told.json()["data"] == [{"user": CHILD, "errors": errors}]
    assert tailscale.policy == POLICY


def test_preview_tells_the_rules_and_their_lines(asking: httpx.Client) -> None:
    def preview(kind: str, who: str) -> list[dict[str, Any]]:
        params = {"type": kind, "previewFor": who}
        shown = asking.post(f"{ACL}/preview", params=params, content=POLICY).json()
        assert (shown["type"], shown["previewFor"]) == (kind, who)
        matches: list[dict[str, Any]] = shown["matches"]
        return matches

    family = {"users": ["group:family"], "ports": ["tag:box:3001"], "lineNumber": 11}
    assert preview("user", CHILD) == [family]
    assert preview("ipport", f"{BOX}:3001") == [family]
    assert [each["lineNumber"] for each in preview("ipport", f"{NAS}:443")] == [9]


def test_devices(asking: httpx.Client) -> None:
    listed = asking.get("/api/v2/tailnet/example.com/devices").json()["devices"]
    assert [each["hostname"] for each in listed] == [each.name for each in DEVICES]
    assert "tags" not in listed[0]
    assert "enabledRoutes" not in listed[-1]
    every = asking.get("/api/v2/tailnet/-/devices", params={"fields": "all"}).json()["devices"]
    assert every[-1]["enabledRoutes"] == ["192.168.7.0/24"]
    one = asking.get(f"/api/v2/device/{listed[3]['nodeId']}").json()
    assert (one["hostname"], one["tags"]) == ("nas", ["tag:nas"])
    assert asking.get("/api/v2/device/n0CNTRL").status_code == 404


def test_tags_must_have_owners_and_take_a_device_from_its_user(
    asking: httpx.Client, tailscale: TailscaleServer
) -> None:
    path = f"/api/v2/device/{DEVICES[0].node_id}/tags"
    refused = asking.post(path, json={"tags": ["tag:x", "tag:nas"]})
    assert refused.status_code == 400
    assert (
        refused.json()["message"] == "requested tags [tag:x tag:nas] are invalid or not permitted"
    )
    assert tailscale.packet_filter().allows(LAPTOP, NAS, 22)
    assert asking.post(path, json={"tags": ["tag:nas"]}).status_code == 200
    assert not tailscale.packet_filter().allows(LAPTOP, NAS, 22)


def test_keys_and_users(asking: httpx.Client) -> None:
    create = {"reusable": False, "ephemeral": False, "preauthorized": True, "tags": ["tag:nas"]}
    body = {"capabilities": {"devices": {"create": create}}, "expirySeconds": 3600}
    key = asking.post("/api/v2/tailnet/-/keys", json=body).json()
    assert key["key"].startswith("tskey-auth-")
    assert key["capabilities"]["devices"]["create"] == create
    (listed,) = asking.get("/api/v2/tailnet/-/keys").json()["keys"]
    assert "key" not in listed
    told = asking.post("/api/v2/tailnet/-/keys", json=body | {"description": "nas (new)"})
    assert told.status_code == 400
    create["tags"] = ["tag:x"]
    assert asking.post("/api/v2/tailnet/-/keys", json=body).status_code == 400
    users = asking.get("/api/v2/tailnet/-/users", params={"role": "admin"}).json()["users"]
    assert [(each["loginName"], each["status"]) for each in users] == [
        ("admin@example.com", "active")
    ]


def test_credentials(http: httpx.Client) -> None:
    tokens = {"full": Credential(), "reader": Credential(("policy_file:read",))}
    with TailscaleServer(policy=POLICY, users=USERS, credentials=tokens) as server:
        url = server.url + ACL
        reader = {"Authorization": "Bearer reader"}
        assert http.get(url).status_code == 401
        unknown = http.get(url, headers={"Authorization": "Bearer nobody"})
        assert (unknown.status_code, unknown.json()) == (401, {"message": "API token invalid"})
        assert http.get(url, headers=reader).status_code == 200
        assert http.post(f"{url}/validate", content=POLICY, headers=reader).json() == {}
        forbidden = http.post(url, content=OTHER, headers=reader)
        assert forbidden.status_code == 403
        assert "does not have enough permissions" in forbidden.json()["message"]
        assert http.get(url, auth=httpx.BasicAuth("full", "")).status_code == 200
        elsewhere = server.url + "/api/v2/tailnet/elsewhere.example/acl"
        assert http.get(elsewhere, headers=server.authorization).status_code == 404


def test_an_oauth_client_gets_a_token_that_expires(http: httpx.Client) -> None:
    form = {"client_id": OAUTH_CLIENT.id, "client_secret": OAUTH_CLIENT.secret}
    with TailscaleServer(policy=POLICY) as server:
        url = f"{server.url}/api/v2/oauth/token"
        assert http.post(url, data=form | {"client_secret": "x"}).status_code == 401
        assert http.post(url, data=form | {"scope": "dns"}).status_code == 400
        granted = http.post(url, data=form).json()
        assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 3600)
        headers = {"Authorization": f"Bearer {granted['access_token']}"}
        assert http.get(server.url + ACL, headers=headers).status_code == 200
        server.expire_tokens()
        assert http.get(server.url + ACL, headers=headers).status_code == 401


def test_the_log_has_every_request_and_no_credential(
    asking: httpx.Client, tailscale: TailscaleServer
) -> None:
    asking.get(ACL, headers={"Accept": "application/json"})
    asking.post(ACL, content=OTHER, headers={"If-Match": '"0"'})
    form = {"client_id": OAUTH_CLIENT.id, "client_secret": OAUTH_CLIENT.secret}
    asking.post("/api/v2/oauth/token", data=form)
    assert [(each.method, each.path, each.status) for each in tailscale.requests] == [
        ("GET", ACL, 200),
        ("POST", ACL, 412),
        ("POST", "/api/v2/oauth/token", 200),
    ]
    (posted,) = tailscale.asked("POST", "/acl")
    assert (posted.headers["if-match"], posted.body) == ('"0"', OTHER)
    assert "notasecret" not in repr(tailscale.requests)


def test_each_change_is_told_before_it_is_answered(
    asking: httpx.Client, tailscale: TailscaleServer
) -> None:
    told: list[PacketFilter] = []
    tailscale.on_change(told.append)
    asking.post(ACL, content='{"grants": [], "src": 1}')
    assert not told
    asking.post(ACL, content=OTHER)
    assert len(told) == 1
    assert not told[-1].allows(LAPTOP, NAS, 22)
    tailscale.edit_by_hand(POLICY)
    assert told[-1].allows(LAPTOP, NAS, 22)


def test_a_part_of_the_language_that_is_not_evaluated_is_said_so(asking: httpx.Client) -> None:
    rule = {"src": ["*"], "dst": ["*"], "ip": ["*"], "srcPosture": ["posture:x"]}
    answered = asking.post(ACL, content=json.dumps({"grants": [rule]}))
    assert answered.status_code == 501
