"""Faults happen when, where and as often as they were scripted."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.controlplane.faults import (
    Fault,
    bad_gateway,
    meanwhile,
    rate_limited,
    reset,
    silence,
    slow,
    status,
)
from tests.controlplane.server import TailscaleServer
from tests.unit.controlplane.household import POLICY

OTHER, THEIRS = '{"grants": []}', '{"acls": []}'
PATIENCE = 0.5  # seconds


def post(http: httpx.Client, server: TailscaleServer, **headers: str) -> httpx.Response:
    url = f"{server.url}/api/v2/tailnet/-/acl"
    all_headers = server.authorization | headers
    return http.post(url, content=OTHER, headers=all_headers, timeout=PATIENCE)


def test_so_often_and_no_more(http: httpx.Client, tailscale: TailscaleServer) -> None:
    tailscale.faults.next("POST", "/acl", rate_limited(7), times=2)
    tailscale.faults.next("POST", "/acl", bad_gateway())
    first, second, third, fourth = (post(http, tailscale) for _ in range(4))
    assert (first.status_code, first.headers["Retry-After"]) == (429, "7")
    assert second.status_code == 429
    assert (third.status_code, third.headers["Content-Type"]) == (502, "text/html")
    assert fourth.status_code == 200
    assert tailscale.faults.left == 0


def test_only_there(http: httpx.Client, tailscale: TailscaleServer) -> None:
    tailscale.faults.next("POST", "/acl/validate", status(500))
    tailscale.faults.next("GET", "/acl", status(500))
    assert post(http, tailscale).status_code == 200
    assert tailscale.faults.left == 2


@pytest.mark.parametrize(
    "fault", [status(500), bad_gateway(), silence(PATIENCE * 2), reset(), rate_limited()]
)
def test_not_carried_out(http: httpx.Client, tailscale: TailscaleServer, fault: Fault) -> None:
    tailscale.faults.next("POST", "/acl", fault)
    _ask(http, tailscale)
    assert tailscale.policy == POLICY


@pytest.mark.parametrize(
    "fault",
    [
        status(500, carried_out=True),
        bad_gateway(carried_out=True),
        silence(PATIENCE * 2, carried_out=True),
        reset(carried_out=True),
    ],
)
def test_carried_out_all_the_same(
    http: httpx.Client, tailscale: TailscaleServer, fault: Fault
) -> None:
    tailscale.faults.next("POST", "/acl", fault)
    _ask(http, tailscale)
    assert tailscale.policy == OTHER


def _ask(http: httpx.Client, server: TailscaleServer) -> None:
    try:
        assert post(http, server).status_code >= 400
    except httpx.TransportError:
        assert server.requests[-1].status == 0


def test_the_kinds_of_no_answer(http: httpx.Client, tailscale: TailscaleServer) -> None:
    tailscale.faults.next("POST", "/acl", silence(PATIENCE * 2))
    with pytest.raises(httpx.ReadTimeout):
        post(http, tailscale)
    tailscale.faults.next("POST", "/acl", silence(PATIENCE / 2))
    with pytest.raises(httpx.RemoteProtocolError):
        post(http, tailscale)
    tailscale.faults.next("POST", "/acl", reset())
    with pytest.raises(httpx.ReadError):
        post(http, tailscale)


def test_slow(http: httpx.Client, tailscale: TailscaleServer) -> None:
    tailscale.faults.next("POST", "/acl", slow(PATIENCE / 2))
    began = time.monotonic()
    assert post(http, tailscale).status_code == 200
    assert time.monotonic() - began >= PATIENCE / 2


def test_somebody_is_faster(http: httpx.Client, tailscale: TailscaleServer) -> None:
    etag = f'"{tailscale.etag}"'
    tailscale.faults.next("POST", "/acl", meanwhile(lambda: tailscale.edit_by_hand(THEIRS)))
    assert post(http, tailscale, **{"If-Match": etag}).status_code == 412
    assert tailscale.policy == THEIRS


def test_a_server_that_is_gone_answers_no_more(http: httpx.Client) -> None:
    with TailscaleServer(policy=POLICY) as server:
        assert post(http, server).status_code == 200
    with pytest.raises(httpx.TransportError):
        post(http, server)


def test_the_end_waits_for_no_silence(http: httpx.Client) -> None:
    began = time.monotonic()
    with TailscaleServer(policy=POLICY) as server:
        server.faults.next("POST", "/acl", silence(60))
        with pytest.raises(httpx.ReadTimeout):
            post(http, server)
    assert time.monotonic() - began < 5
