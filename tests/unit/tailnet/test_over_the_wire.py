"""Clients and switch against control planes that were written from their public descriptions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from paisctl.errors import CredentialsRefused, PolicyMoved, PolicyRefused
from paisctl.policy.text import read
from paisctl.tailnet import connection
from paisctl.tailnet.control import ControlPlane
from paisctl.tailnet.credentials import Credentials, OAuthClient, Token
from paisctl.tailnet.headscale import Headscale
from paisctl.tailnet.hidden import Hidden
from paisctl.tailnet.outcome import Outcome, Result
from paisctl.tailnet.record import Record
from paisctl.tailnet.switch import Switch
from paisctl.tailnet.tailscale import Tailscale
from tests.controlplane import headscale as of_headscale
from tests.controlplane.credentials import Credential
from tests.controlplane.faults import (
    Fault,
    bad_gateway,
    meanwhile,
    rate_limited,
    reset,
    silence,
    status,
)
from tests.controlplane.headscale import HeadscaleServer
from tests.controlplane.server import API_KEY, OAUTH_CLIENT, TailscaleServer
from tests.controlplane.tailnet import Device, User
from tests.unit.tailnet.fakes import JumpingClock

ADDRESSES = {"laptop": "100.64.0.1", "k6": "100.64.0.6", "nas": "100.64.0.7"}
DEVICES = (
    Device("laptop", (ADDRESSES["laptop"],), user="anna@example.com"),
    Device("k6", (ADDRESSES["k6"],), ("tag:k6",)),
    Device("nas", (ADDRESSES["nas"],), ("tag:nas",)),
)
USERS = (User("anna@example.com", "owner"),)
OWNERS = '"tagOwners": {"tag:k6": [], "tag:nas": []}'


def policy(*tags: str) -> str:
    """A policy under which the laptop logs in to hosts with these tags."""
    targets = ", ".join(f'"{tag}"' for tag in tags)
    return (
        f'// by hand\n{{{OWNERS}, "grants": [\n'
        f'  {{"src": ["anna@example.com"], "dst": [{targets}], "ip": ["22"]}},\n]}}\n'
    )


OLD, NEW = policy("tag:k6", "tag:nas"), policy("tag:nas", "tag:k6", "autogroup:member")
BAD, HAND = policy("tag:nas"), policy("*")
WRONG = NEW.replace('"tag:nas": []', '"tag:other": []')

Server = TailscaleServer | HeadscaleServer


@pytest.fixture(params=["tailscale", "headscale 0.29", "headscale 0.30"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "tailscale":
        with TailscaleServer(policy=OLD, devices=DEVICES, users=USERS) as tailscale:
            yield tailscale
        return
    generation = request.param.split()[1]
    with HeadscaleServer(
        policy=OLD, devices=DEVICES, users=USERS, generation=generation
    ) as headscale:
        yield headscale


@pytest.fixture
def control(server: Server) -> Iterator[ControlPlane]:
    with closing(connected(server)) as control:
        yield control


def connected(server: Server, credentials: Credentials | None = None) -> ControlPlane:
    if isinstance(server, HeadscaleServer):
        token = Token(Hidden(of_headscale.API_KEY), "HEADSCALE_API_KEY")
        return Headscale(token, server.url, sleep=lambda _: None)
    token = Token(Hidden(API_KEY), "TAILSCALE_API_KEY")
    return Tailscale(credentials or token, server.url, sleep=lambda _: None)


def switched(
    server: Server, control: ControlPlane, folder: Path, text: str, live: str = OLD
) -> Result:
    """Change the policy; a host is reached if the packet filter in force lets the laptop in."""

    def reach(host: str) -> str:
        allows = server.packet_filter().allows(ADDRESSES["laptop"], ADDRESSES[host], 22)
        return "" if allows else "timed out"

    before = control.policy()
    assert before.text == live
    switch = Switch(control, Record(folder), reach, JumpingClock(), lambda _: None, 10, 60)
    return switch.change_policy(text, before, ["k6", "nas"])


def test_a_policy_goes_out_and_comes_back_as_it_was_written(
    server: Server, control: ControlPlane
) -> None:
    live = control.policy()
    assert live.text == OLD
    etag = control.set_policy(NEW, live.etag)
    assert control.policy().text == NEW
    assert control.policy().etag == etag
    assert server.policy == NEW


def test_a_policy_that_somebody_has_changed_is_not_overwritten(
    server: Server, control: ControlPlane
) -> None:
    etag = control.policy().etag
    server.edit_by_hand(HAND)
    with pytest.raises(PolicyMoved):
        control.set_policy(NEW, etag)
    assert server.policy == HAND


def test_what_is_wrong_with_a_policy_is_told_before_and_when_it_is_set(
    server: Server, control: ControlPlane
) -> None:
    assert control.validate(NEW) == ()
    findings = control.validate(WRONG)
    assert any("tag:nas" in finding.message for finding in findings)
    with pytest.raises(PolicyRefused, match="tag:nas"):
        control.set_policy(WRONG, control.policy().etag)
    assert server.policy == OLD


@pytest.mark.parametrize(
    "lost",
    [
        lambda carried_out: status(500, carried_out=carried_out),
        lambda carried_out: bad_gateway(carried_out=carried_out),
        lambda carried_out: reset(carried_out=carried_out),
        lambda carried_out: silence(1.0, carried_out=carried_out),
    ],
)
def test_a_lost_answer_to_a_set_that_took_is_no_failure(
    server: Server,
    lost: Callable[..., Fault],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "_TIMEOUT", httpx.Timeout(0.3))
    with closing(connected(server)) as control:
        method, ending = ("PUT", "/policy") if control.name == "Headscale" else ("POST", "/acl")
        etag = control.policy().etag
        server.faults.next(method, ending, lost(carried_out=True))
        assert control.set_policy(NEW, etag) == control.policy().etag
        assert server.faults.left == 0
        assert server.policy == NEW


def test_reading_survives_what_networks_do(server: Server, control: ControlPlane) -> None:
    ending = "/policy" if control.name == "Headscale" else "/acl"
    for fault in (rate_limited(2), bad_gateway(), reset()):
        server.faults.next("GET", ending, fault)
    assert control.policy().text == OLD
    assert server.faults.left == 0


def test_devices_and_users_are_listed(control: ControlPlane) -> None:
    k6, laptop, _ = control.devices()
    assert (k6.name, k6.tags, k6.user) == ("k6", ("tag:k6",), "")
    assert laptop.addresses == (ADDRESSES["laptop"],)
    assert "anna@example.com" in {laptop.user, *laptop.aliases}
    (anna,) = control.users()
    assert "anna@example.com" in {anna.login, *anna.aliases}


def test_tags_are_set_and_keys_are_made(control: ControlPlane) -> None:
    (laptop,) = (device for device in control.devices() if device.name == "laptop")
    control.set_tags(laptop.id, ["tag:k6"])
    (laptop,) = (device for device in control.devices() if device.name == "laptop")
    assert (laptop.tags, laptop.user) == (("tag:k6",), "")
    key = control.make_key(["tag:k6"], "for K6", 3600)
    assert key.value
    assert key.expires is not None


def test_a_preview_names_the_lines(server: Server, control: ControlPlane) -> None:
    if isinstance(server, TailscaleServer):
        (match,) = control.preview(NEW, "user", "anna@example.com")
        assert match.line == 3


def test_the_switch_keeps_what_locks_nobody_out(
    server: Server, control: ControlPlane, tmp_path: Path
) -> None:
    result = switched(server, control, tmp_path, NEW)
    assert result.outcome is Outcome.KEPT
    assert server.policy == NEW


def test_the_switch_goes_back_from_what_locks_a_host_out(
    server: Server, control: ControlPlane, tmp_path: Path
) -> None:
    result = switched(server, control, tmp_path, BAD)
    assert result.outcome is Outcome.WENT_BACK
    assert [sighting.host for sighting in result.gone] == ["k6"]
    assert server.policy == OLD
    assert Record(tmp_path).read() is None


def test_the_switch_goes_back_from_a_default_that_nobody_ever_touched(tmp_path: Path) -> None:
    with TailscaleServer(devices=DEVICES, users=USERS) as server:
        default = server.policy
        with closing(connected(server)) as control:
            result = switched(server, control, tmp_path, BAD, default)
            assert result.outcome is Outcome.WENT_BACK
            assert server.policy == default


def test_the_switch_goes_back_from_no_policy_at_all(tmp_path: Path) -> None:
    with HeadscaleServer(devices=DEVICES, users=USERS) as server:
        with closing(connected(server)) as control:
            result = switched(server, control, tmp_path, BAD, "{}\n")
        assert result.outcome is Outcome.WENT_BACK
        assert read(server.policy) == read("{}")


def test_going_back_leaves_alone_what_somebody_writes_meanwhile(tmp_path: Path) -> None:
    with TailscaleServer(policy=OLD, devices=DEVICES, users=USERS) as server:
        race = meanwhile(lambda: server.edit_by_hand(HAND))
        server.on_change(lambda _: server.faults.next("POST", "/acl", race, times=2))
        with closing(connected(server)) as control:
            result = switched(server, control, tmp_path, BAD)
        assert result.outcome is Outcome.OVERTAKEN
        assert server.policy == HAND


def test_a_headscale_with_a_file_says_so() -> None:
    with (
        HeadscaleServer(policy=OLD, devices=DEVICES, users=USERS, mode="file") as server,
        closing(connected(server)) as control,
    ):
        etag = control.policy().etag
        with pytest.raises(PolicyRefused, match="from a file"):
            control.set_policy(NEW, etag)


def test_an_oauth_client_signs_in_and_renews_what_was_revoked() -> None:
    client = OAuthClient(OAUTH_CLIENT.id, Hidden(OAUTH_CLIENT.secret), "TS_OAUTH_ID")
    with TailscaleServer(policy=OLD, devices=DEVICES, users=USERS) as server:
        with closing(connected(server, client)) as control:
            assert control.policy().text == OLD
            server.expire_tokens()
            assert control.set_policy(NEW, control.policy().etag)
        assert server.policy == NEW


def test_a_credential_without_the_scope_is_told_which() -> None:
    reader = {API_KEY: Credential(("policy_file:read",))}
    with (
        TailscaleServer(policy=OLD, devices=DEVICES, users=USERS, credentials=reader) as server,
        closing(connected(server)) as control,
    ):
        etag = control.policy().etag
        with pytest.raises(CredentialsRefused) as raised:
            control.set_policy(NEW, etag)
        assert "`policy_file`" in (raised.value.hint or "")
        assert server.policy == OLD
