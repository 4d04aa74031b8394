from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from paisctl.errors import (
    CredentialsRefused,
    OutcomeUnknown,
    PolicyMoved,
    PolicyRefused,
    TailnetError,
)
from paisctl.tailnet.control import Finding, LivePolicy
from paisctl.tailnet.headscale import Headscale
from paisctl.tailnet.outcome import Outcome
from tests.unit.tailnet.fakes import HAND, NEW, OLD, Bench
from tests.unit.tailnet.script import CLIENT, Answer, Script, answer

POLICY = "/api/v1/policy"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def held(text: str) -> httpx.Response:
    return answer(200, {"policy": text, "updatedAt": "2026-11-22T00:00:00Z"})


def grpc(status: int, message: str) -> httpx.Response:
    """A failure as Headscale up to 0.29 says it."""
    return answer(status, {"code": 2, "message": message, "details": []})


def huma(status: int, detail: str, *errors: str) -> httpx.Response:
    """A failure as Headscale says it since."""
    listed = [{"message": error} for error in errors]
    return answer(status, {"title": "x", "status": status, "detail": detail, "errors": listed})


def test_the_policy_is_named_by_its_digest() -> None:
    script = Script(held(OLD))
    assert script.headscale().policy() == LivePolicy(OLD, sha256(OLD))
    (request,) = script.requests
    assert request.url == f"https://hs.example.com{POLICY}"
    assert request.headers["Authorization"] == "Bearer hskey-api-secret"


@pytest.mark.parametrize(
    "none",
    [
        grpc(500, "loading ACL from database: acl policy not found"),
        huma(500, "loading ACL from database", "acl policy not found"),
        held(""),
    ],
)
def test_no_policy_at_all_is_one_that_allows_everything(none: httpx.Response) -> None:
    script = Script(none)
    assert script.headscale().policy().text == "{}\n"
    assert len(script.requests) == 1


def test_the_policy_is_read_again_right_before_it_is_set() -> None:
    script = Script(held(OLD), held(NEW))
    assert script.headscale().set_policy(NEW, sha256(OLD)) == sha256(NEW)
    assert script.asked() == [f"GET {POLICY}", f"PUT {POLICY}"]
    assert script.body() == {"policy": NEW}


def test_somebody_elses_change_is_not_overwritten() -> None:
    script = Script(held(HAND))
    with pytest.raises(PolicyMoved, match="somebody else") as raised:
        script.headscale().set_policy(NEW, sha256(OLD))
    assert "paisctl acl plan" in (raised.value.hint or "")
    assert script.asked() == [f"GET {POLICY}"]


@pytest.mark.parametrize(
    "refusal",
    [
        grpc(500, "setting policy: parsing policy: tag not found"),
        huma(400, "setting policy", "parsing policy: tag not found"),
    ],
)
def test_a_refusal_is_told_in_headscales_words(refusal: httpx.Response) -> None:
    script = Script(held(OLD), refusal)
    with pytest.raises(PolicyRefused, match="setting policy: parsing policy: tag not found"):
        script.headscale().set_policy(NEW, sha256(OLD))
    assert len(script.requests) == 2


@pytest.mark.parametrize(
    "refusal",
    [
        grpc(500, "update is disabled for modes other than 'database'"),
        huma(400, "update is disabled for modes other than 'database'"),
    ],
)
def test_a_policy_that_lies_in_a_file_says_what_to_do(refusal: httpx.Response) -> None:
    with pytest.raises(PolicyRefused, match="from a file") as raised:
        Script(held(OLD), refusal).headscale().set_policy(NEW, sha256(OLD))
    assert "policy.mode: database" in (raised.value.hint or "")


HALF_SET = grpc(500, "verifying SSH rules: no such user")


def test_a_policy_whose_ssh_rules_are_refused_is_taken_out_of_use() -> None:
    script = Script(held(OLD), HALF_SET, held(OLD))
    with pytest.raises(PolicyRefused):
        script.headscale().set_policy(NEW, sha256(OLD))
    assert script.asked() == [f"GET {POLICY}", f"PUT {POLICY}", f"PUT {POLICY}"]
    assert script.body() == {"policy": OLD}


@pytest.mark.parametrize(
    "fault",
    [
        (httpx.ReadTimeout("slow"),),
        (httpx.ConnectError("nobody there"),) * 4,
        (answer(401),),
        (grpc(400, "setting policy: no such user"),),
        (grpc(500, "verifying SSH rules: no such user"),),
    ],
)
def test_a_refused_policy_that_may_be_in_use_is_not_called_undone(
    fault: tuple[httpx.Response | Exception, ...],
) -> None:
    script = Script(held(OLD), HALF_SET, *fault)
    with pytest.raises(OutcomeUnknown, match=r"verifying SSH rules.*may use it"):
        script.headscale().set_policy(NEW, sha256(OLD))
    assert script.body() == {"policy": OLD}


@pytest.mark.parametrize("end", ["change", "finish", "back"])
def test_a_policy_that_may_be_in_use_unseen_is_replaced_on_the_way_back(
    bench: Bench, end: str
) -> None:
    """Reading shows the old one, which proves nothing: it is set once more."""
    refused: list[Answer] = [held(OLD), HALF_SET, httpx.ReadTimeout("slow")]
    back: list[Answer] = [held(OLD), held(OLD), held(OLD), held(OLD)]  # read, read, set, read
    dead: list[Answer] = [answer(401)]
    script = Script(*refused, *(back if end == "change" else dead))
    switch = replace(bench.switch(), control=script.headscale())
    result = switch.change_policy(NEW, LivePolicy(OLD, sha256(OLD)), ("k6", "nas"))
    if end != "change":
        assert result.outcome is Outcome.NOT_BACK
        script.answers += [held(OLD), *back] if end == "finish" else back
        result = switch.finish() if end == "finish" else switch.go_back()
        assert bench.record.read() is None
    assert result.outcome is Outcome.NOT_SET
    assert result.is_old_proven
    assert script.answers == []
    assert script.asked()[-2:] == [f"PUT {POLICY}", f"GET {POLICY}"]
    assert script.body(-2) == {"policy": OLD}


def test_a_lost_answer_is_found_out_by_reading() -> None:
    script = Script(held(OLD), httpx.ReadTimeout("slow"), held(NEW))
    assert script.headscale().set_policy(NEW, sha256(OLD)) == sha256(NEW)
    script = Script(held(OLD), httpx.Response(500), *[held(OLD)] * 4)
    with pytest.raises(OutcomeUnknown):
        script.headscale().set_policy(NEW, sha256(OLD))
    assert script.asked().count(f"PUT {POLICY}") == 1


@pytest.mark.parametrize(
    ("verdict", "findings"),
    [
        (answer(200), ()),
        (huma(400, "test failed"), (Finding("", "test failed"),)),
        (answer(400, {"code": 3, "message": "bad"}), (Finding("", "bad"),)),
    ],
)
def test_a_policy_is_checked_by_headscale(
    verdict: httpx.Response, findings: tuple[Finding, ...]
) -> None:
    script = Script(verdict)
    assert script.headscale().validate(NEW) == findings
    assert script.asked() == [f"POST {POLICY}/check"]
    assert script.body() == {"policy": NEW}


def test_an_old_headscale_cannot_check() -> None:
    (finding,) = Script(grpc(404, "Not Found")).headscale().validate(NEW)
    assert finding.is_warning
    assert "0.29" in finding.message


def test_nodes_belong_to_users_or_carry_tags() -> None:
    owner = {"id": "1", "name": "anna", "email": "anna@example.com"}
    nodes = [
        {
            "id": "2",
            "name": "Annas-Phone",
            "givenName": "annas-phone",
            "ipAddresses": ["100.64.0.2", "fd7a:115c:a1e0::2"],
            "user": owner,
            "expiry": "2027-01-01T00:00:00.000000001Z",
            "tags": [],
        },
        {
            "id": "1",
            "givenName": "k6",
            "user": {"name": "tagged-devices"},
            "tags": ["tag:k6"],
            "expiry": None,
            "online": True,
        },
        {"id": "3", "givenName": "nas", "user": owner, "forcedTags": ["tag:nas"]},
    ]
    phone, k6, nas = Script(answer(200, {"nodes": nodes})).headscale().devices()
    assert (phone.name, phone.user, phone.aliases) == (
        "annas-phone",
        "anna@",
        ("anna@example.com",),
    )
    assert phone.expires == datetime(2027, 1, 1, tzinfo=UTC)
    assert (k6.id, k6.tags, k6.user, k6.expires) == ("1", ("tag:k6",), "", None)
    assert (nas.tags, nas.user) == (("tag:nas",), "")


def test_users_are_named_as_policies_do() -> None:
    users = [{"id": "1", "name": "anna"}, {"id": "2", "name": "ben@example.com"}]
    logins = [user.login for user in Script(answer(200, {"users": users})).headscale().users()]
    assert logins == ["anna@", "ben@example.com"]


def test_tags_are_set_by_id() -> None:
    script = Script(answer(200))
    script.headscale().set_tags("7", ["tag:k6"])
    assert script.asked() == ["POST /api/v1/node/7/tags"]
    assert script.body() == {"tags": ["tag:k6"]}


def test_a_key_is_for_one_tagged_machine() -> None:
    data = {"preAuthKey": {"id": "9", "key": "hskey-auth-x", "expiration": "2026-12-01T00:00:00Z"}}
    script = Script(answer(200, data))
    key = script.headscale().make_key(["tag:k6"], "K6", 3600)
    assert (key.id, key.value.reveal()) == ("9", "hskey-auth-x")
    body = script.body()
    assert (body["reusable"], body["aclTags"]) == (False, ["tag:k6"])
    assert body["expiration"].endswith("Z")


def test_what_headscale_cannot_do_is_said() -> None:
    with pytest.raises(TailnetError, match="preview"):
        Script().headscale().preview(NEW, "user", "a@")
    with pytest.raises(CredentialsRefused, match="API key"):
        Headscale(CLIENT, "https://hs.example.com")


def test_an_unknown_key_is_named() -> None:
    script = Script(answer(401, {"title": "Unauthorized", "status": 401, "detail": "Unauthorized"}))
    with pytest.raises(CredentialsRefused, match="HEADSCALE_API_KEY: Unauthorized"):
        script.headscale().users()
