from __future__ import annotations

import socket
import ssl
import time
from contextlib import closing
from email.utils import formatdate

import httpx
import pytest

from paisctl.errors import ControlUnreachable, CredentialsRefused, TailnetError, UsageError
from paisctl.inventory.types import is_loopback
from paisctl.tailnet.address import api_address
from paisctl.tailnet.tailscale import Tailscale
from tests.unit.tailnet.fakes import OLD
from tests.unit.tailnet.script import TOKEN, Answer, Script, answer, hujson


def chained(error: httpx.HTTPError, cause: Exception) -> httpx.HTTPError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("gone"),
        httpx.Response(500),
        httpx.Response(503),
        httpx.Response(429),
    ],
)
def test_reading_is_tried_again(fault: Answer) -> None:
    script = Script(fault, fault, hujson(OLD, "a"))
    assert script.tailscale().policy().etag == "a"
    assert script.slept == [1.0, 2.0]


def test_reading_is_not_tried_for_ever() -> None:
    script = Script(*[httpx.Response(503)] * 4)
    with pytest.raises(ControlUnreachable, match="503 Service Unavailable"):
        script.tailscale().policy()
    assert len(script.requests) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 301])
def test_what_will_not_change_is_not_tried_again(status: int) -> None:
    script = Script(answer(status))
    with pytest.raises(TailnetError):
        script.tailscale().devices()
    assert len(script.requests) == 1


def test_a_control_plane_that_asks_for_patience_gets_it() -> None:
    script = Script(answer(429, Retry_After="17"), hujson(OLD, "a"))
    script.tailscale().policy()
    assert script.slept == [17.0]


def test_patience_can_be_asked_for_by_a_date() -> None:
    script = Script(answer(429, Retry_After=formatdate(time.time() + 20)), hujson(OLD, "a"))
    script.tailscale().policy()
    assert 15 < script.slept[0] <= 20


def test_patience_has_an_end() -> None:
    script = Script(answer(429, Retry_After="3600"))
    with pytest.raises(ControlUnreachable, match="too often") as raised:
        script.tailscale().policy()
    assert raised.value.hint == "it asks to wait 3600 s"
    assert script.slept == []


@pytest.mark.parametrize("nonsense", ["soon", "-5", "", "²"])
def test_nonsense_is_not_waited_for(nonsense: str) -> None:
    response = httpx.Response(429, headers=[(b"Retry-After", nonsense.encode())])
    script = Script(response, hujson(OLD, "a"))
    script.tailscale().policy()
    assert script.slept == [1.0]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            chained(httpx.ConnectError("x"), socket.gaierror(-2, "unknown")),
            "the name api.tailscale.com cannot be resolved",
        ),
        (
            chained(httpx.ConnectError("x"), ssl.SSLCertVerificationError("self-signed")),
            "the certificate of api.tailscale.com is not trusted",
        ),
        (
            chained(httpx.ConnectError("x"), ConnectionRefusedError(111, "refused")),
            "nothing listens at api.tailscale.com",
        ),
        (httpx.ConnectError("no route to host"), "no connection to api.tailscale.com: no route"),
        (httpx.ConnectTimeout("x"), "api.tailscale.com does not answer in time"),
        (httpx.ReadTimeout("x"), "api.tailscale.com does not answer in time"),
        (httpx.ReadError("x"), "the connection to api.tailscale.com broke"),
    ],
)
def test_a_connection_that_fails_is_told_in_words(fault: httpx.HTTPError, message: str) -> None:
    with pytest.raises(ControlUnreachable, match=message):
        Script(*[fault] * 4).tailscale().policy()


def test_a_missing_scope_is_named() -> None:
    script = Script(answer(403, {"message": "calling actor does not have enough permissions"}))
    with pytest.raises(CredentialsRefused, match="TAILSCALE_API_KEY may not list the devices"):
        script.tailscale().devices()
    script = Script(answer(403))
    with pytest.raises(CredentialsRefused) as raised:
        script.tailscale().set_policy(OLD, "a")
    assert "`policy_file`" in (raised.value.hint or "")


def test_a_credential_that_is_unknown_may_have_expired() -> None:
    script = Script(answer(401, {"message": "API token invalid"}))
    with pytest.raises(CredentialsRefused, match="accept TAILSCALE_API_KEY: API token") as raised:
        script.tailscale().policy()
    assert "90 days" in (raised.value.hint or "")


def test_an_unknown_tailnet_says_where_it_was_looked_for() -> None:
    script = Script(answer(404, {"message": "tailnet not found"}))
    with pytest.raises(TailnetError, match="404 Not Found: tailnet not found") as raised:
        script.tailscale().policy()
    assert "https://api.tailscale.com/api/v2/tailnet/-/acl" in (raised.value.hint or "")


def test_a_web_page_is_no_answer() -> None:
    page = httpx.Response(200, html="<html>Please sign in to the hotel</html>")
    with pytest.raises(TailnetError, match="answered with text/html, not with JSON"):
        Script(page).tailscale().devices()


def test_a_redirect_is_not_followed_with_the_credential() -> None:
    script = Script(httpx.Response(302, headers={"Location": "https://elsewhere.example.com/"}))
    with pytest.raises(TailnetError, match="302"):
        script.tailscale().policy()
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://api.tailscale.com",
        "http://192.0.2.1",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "https://name:password@example.com",
        "ftp://example.com",
        "api.tailscale.com",
        "https://",
        "https://example.com/?key=1",
        "https://example.com/#key",
        "https://example.com?",
        "https://@example.com",
        "https://exam\tple.com",
        "https://example.com\\@127.0.0.1",
        "https://example.com:99999",
        "https://exa mple.com:x",
        "",
    ],
)
def test_a_credential_is_not_sent_to_just_any_address(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        api_address(url, "/api/v2")
    assert "password@" not in f"{raised.value.message}{raised.value.hint}"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://api.tailscale.com", "https://api.tailscale.com/api/v2"),
        ("https://hs.example.com:8443/sub/", "https://hs.example.com:8443/sub/api/v2"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v2"),
        ("http://[::1]:8080", "http://[::1]:8080/api/v2"),
        ("http://localhost", "http://localhost/api/v2"),
        ("http://127.0.0.2", "http://127.0.0.2/api/v2"),
        ("https://example.com/@home", "https://example.com/@home/api/v2"),
        (" https://example.com ", "https://example.com/api/v2"),
    ],
)
def test_addresses_that_are_safe(url: str, address: str) -> None:
    assert api_address(url, "/api/v2") == address


def test_a_proxy_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_loopback("127.0.0.1")
    assert not is_loopback("api.tailscale.com")
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")
    with closing(Tailscale(TOKEN, "http://127.0.0.1:9")) as tailscale:
        assert tailscale._connection._client._mounts == {}
    with closing(Tailscale(TOKEN, "https://api.tailscale.com")) as tailscale:
        assert tailscale._connection._client._mounts != {}
