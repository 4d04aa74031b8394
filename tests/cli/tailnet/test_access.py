"""The access policy: from a foreign tailnet to a second apply that does nothing, and by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from paisctl.policy.document import digest
from paisctl.policy.text import read, stamp_of
from tests.cli.tailnet.site import Site
from tests.controlplane import hujson
from tests.controlplane.packet_filter import PacketFilter
from tests.controlplane.server import OAUTH_CLIENT, TailscaleServer
from tests.simulated.tailnet import CHILD, FOREIGN, LAPTOP, lets_in, machines

MORE = {"child": {"services": ["anythingllm", "homeassistant"]}}
# How the policy of a new tailnet begins: what it could hold is in its comments.
NEW_TAILNET = """// Example/default ACLs for unrestricted connections. { }
{
	// "tagOwners": {
	// 	"tag:example": ["autogroup:admin"],
	// },
	"grants": [{"src": ["*"], "dst": ["*"], "ip": ["*"]}],
}
"""


def untag(site: Site) -> None:
    devices = machines((site.inventory,), tagged=False)
    site.server.file.tailnet = replace(site.server.tailnet, devices=devices)


def without_owners(text: str) -> dict[str, object]:
    return {k: v for k, v in hujson.parse(text).value.items() if k != "tagOwners"}


def test_a_foreign_tailnet_is_taken_over_step_by_step(site: Site) -> None:
    site.server.file.put(FOREIGN)
    untag(site)
    said = site.say("tailnet-untagged", "paisctl devices", "paisctl acl apply --yes")
    assert "paisctl devices tag" in said
    assert site.server.policy == FOREIGN  # byte for byte: everybody was locked out

    site.say("tailnet-tag", "paisctl devices tag 'm7-*' --yes")
    site.run("paisctl devices tag --yes")
    for line in FOREIGN.splitlines():
        assert line in site.server.policy
    assert without_owners(site.server.policy) == without_owners(FOREIGN)
    assert site.run("paisctl devices").status == 0

    site.say("tailnet-first", "paisctl acl apply --yes")
    asked = [request for request in site.requests if request.startswith("POST")]
    assert asked == ["POST /validate", "POST /validate", "POST /acl"]
    (post,) = site.server.asked("POST", "/acl")[-1:]
    assert post.headers["if-match"].strip('"')
    assert stamp_of(site.server.policy) == digest(read(site.server.policy))

    site.say("tailnet-second", "paisctl acl plan --detailed-exitcode", "paisctl acl apply --yes")
    assert site.requests == ["GET /acl", "GET /acl"]
    assert site.record == []


@pytest.mark.parametrize("policy", [FOREIGN, NEW_TAILNET, "// {\n{}\n"])
def test_tags_are_added_where_the_policy_has_them_not_in_a_comment(site: Site, policy: str) -> None:
    site.server.file.put(policy)
    untag(site)
    done = site.run("paisctl devices tag k6 --yes")
    assert done.status == 0, done.err
    assert without_owners(site.server.policy) == without_owners(policy)
    assert "tag:k6" in hujson.parse(site.server.policy).value["tagOwners"]
    remaining = iter(site.server.policy.splitlines())
    assert all(any(line in other for other in remaining) for line in policy.splitlines()[1:-1])


def test_a_policy_that_locks_out_is_taken_back(settled: Site) -> None:
    before = settled.server.policy
    settled.overlay(roles={"admin": {"ssh": False}})
    settled.say("tailnet-locked-out", "paisctl acl diff", "paisctl acl apply --yes")
    assert settled.server.policy == before
    assert settled.record == []
    assert len(settled.server.asked("POST", "/acl")) == 2


def test_one_host_that_is_gone_brings_the_old_policy_back(settled: Site) -> None:
    before = settled.server.policy
    settled.overlay(roles=MORE)

    def lose(_: PacketFilter) -> None:
        settled.lost = set() if settled.server.policy == before else {"k6"}

    settled.server.on_change(lose)
    done = settled.run("paisctl acl apply --yes")
    assert done.status == 1
    assert "✗ k6  gone under the new policy\n" in done.out
    assert done.out.count("✗") == 1
    assert "Done:" not in done.out
    assert settled.server.policy == before


def test_a_host_that_was_gone_before_is_not_watched(settled: Site) -> None:
    settled.lost.add("k6")
    settled.overlay(roles=MORE)
    settled.say("tailnet-left-out", "paisctl acl apply --yes")
    assert "rpi5-2" in settled.server.policy


def test_nobody_to_prove_it_by(settled: Site) -> None:
    before = settled.server.policy
    settled.lost |= {each.name for each in settled.server.tailnet.devices}
    settled.overlay(roles=MORE)
    assert settled.run("paisctl acl apply --yes").status == 1
    assert settled.server.policy == before
    assert "POST /acl" not in settled.requests


def test_an_edit_in_the_console_is_drift_and_is_undone(settled: Site) -> None:
    ours = settled.server.policy
    mallory = '"group:children": ["mallory@example.com", '
    settled.server.edit_by_hand(ours.replace('"group:children": [', mallory))
    lines = ("paisctl acl plan --detailed-exitcode", "paisctl acl diff")
    settled.say("tailnet-drift", *lines)
    settled.overlay(roles=MORE)
    settled.say("tailnet-drift-and-pending", *lines)
    settled.overlay()
    settled.say("tailnet-undone", "paisctl acl apply --yes")
    assert settled.server.policy == ours
    assert settled.run("paisctl acl plan --detailed-exitcode").status == 0


def test_adding_a_child(settled: Site) -> None:
    """What the child may reach is asked of the server's filter, which is not ours."""
    login = "child2@example.com"
    laptop = replace(settled.server.tailnet.devices[-1], name="chromebook", user=login)
    laptop = replace(laptop, addresses=("100.64.0.80",))
    tailnet = settled.server.tailnet
    settled.server.file.tailnet = replace(tailnet, devices=(*tailnet.devices, laptop))
    before = settled.inventory.read_text()
    ports = sorted({*range(20, 100), 111, 443, 1883, 2049, *range(3000, 3010), *range(5000, 5010)})
    ports += [4000, 6333, 6334, 6335, 6336, 6379, 8080, 8123, 9090, 9100, 11434, 11435, 18789]

    def reached() -> set[tuple[str, int]]:
        compiled = settled.server.packet_filter()
        targets = [each for each in settled.server.tailnet.devices if each.name != "chromebook"]
        return {
            (each.name, port)
            for each in targets
            for port in ports
            if compiled.connects(laptop.addresses, each.addresses, port)
        }

    add = f"paisctl user add {login} --role child --yes"
    settled.say("tailnet-child", add, "paisctl acl diff", "paisctl acl apply --yes")
    assert reached() == {("mac-mini", 3001)}
    settled.say("tailnet-child-again", add, "paisctl acl apply --yes")
    assert settled.requests == ["GET /acl"]
    settled.run(f"paisctl user remove {login} --yes")
    assert settled.run("paisctl acl apply --yes").status == 0
    assert reached() == set()
    assert settled.inventory.read_text() == before


def test_machines_that_are_not_as_they_should_be(settled: Site) -> None:
    machines = {each.name: each for each in settled.server.tailnet.devices}
    phone = replace(machines["dell"], name="phone", addresses=("100.64.0.99",), user=CHILD)
    changes: dict[str, dict[str, object]] = {
        "k6": {"tags": ("tag:k6", "tag:nas")},
        "m7-1": {"expires": "2026-01-01T00:00:00Z"},
        "m7-2": {"update_available": True, "client_version": "1.60.0"},
        "nas": {"authorized": False},
        "rpi5-3": {"addresses": ("100.64.9.9",)},
        LAPTOP: {"user": CHILD},
    }
    del machines["jetson-3"]
    machines |= {name: replace(machines[name], **change) for name, change in changes.items()}  # type: ignore[arg-type]
    tailnet = replace(settled.server.tailnet, devices=(*machines.values(), phone))
    settled.server.file.tailnet = tailnet
    settled.say("tailnet-devices", "paisctl devices", "paisctl devices tag 'k*' --yes")
    found = json.loads(settled.run("paisctl devices --json").out)["findings"]
    assert {each["device"]: each["kind"] for each in found} == {
        "jetson-3": "missing",
        "m7-1": "key expired",
        "m7-2": "outdated",
        "nas": "unauthorized",
        "phone": "unknown",
        "rpi5-3": "wrong address",
        LAPTOP: "wrong owner",
    }
    assert [each["device"] for each in found if each["harmless"]] == ["m7-2", "phone"]


def test_a_key_goes_to_stdout_and_nowhere_else(settled: Site) -> None:
    done = settled.run("paisctl devices key jetson-3 --expiry 2h")
    assert isinstance(settled.server, TailscaleServer)
    (key,) = settled.server.keys
    assert (done.status, done.out) == (0, f"{key['key']}\n")
    assert key["key"] not in done.err
    create = key["capabilities"]["devices"]["create"]
    assert create == {
        "reusable": False, "ephemeral": False, "preauthorized": True, "tags": ["tag:jetson-3"],
    }  # fmt: skip
    assert key["expirySeconds"] == 7200
    settled.say("tailnet-no-key", "paisctl devices key thinkpad", "paisctl devices key nope")
    assert len(settled.server.keys) == 1


def test_an_oauth_client_signs_in(settled: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAILSCALE_API_KEY")
    monkeypatch.setenv("TAILSCALE_OAUTH_CLIENT_ID", OAUTH_CLIENT.id)
    monkeypatch.setenv("TAILSCALE_OAUTH_CLIENT_SECRET", OAUTH_CLIENT.secret)
    settled.overlay(roles=MORE)
    assert settled.run("paisctl acl apply --yes").status == 0
    assert settled.requests[0] == "POST /token"
    assert lets_in(settled.server.packet_filter(), settled.server.tailnet, "k6")


def test_what_is_pulled_is_what_is_in_force(settled: Site) -> None:
    settled.server.file.put(FOREIGN)
    assert settled.run("paisctl acl pull").out == FOREIGN
    assert settled.run("paisctl acl pull -o before.hujson").status == 0
    assert Path("before.hujson").read_text() == FOREIGN
    live = settled.run("paisctl acl diff").out
    pulled = settled.run("paisctl acl diff before.hujson").out
    assert pulled.replace("before.hujson", "the policy in force") == live
