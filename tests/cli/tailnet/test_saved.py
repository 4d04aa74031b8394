"""The access policy as a part of `plan`, `apply` and saved plans of a fleet whose hosts are as wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from paisctl import pipeline
from paisctl.secrets import load_vault
from paisctl.transports import SshSettings, Transport
from tests.cli.tailnet.site import Site
from tests.cli.tailnet.test_access import MORE
from tests.simulated import probe
from tests.simulated.fleet import REPOSITORY, SimulatedFleet, rendered

FILES = (Path("inventory/pais.yaml"), Path("tailnet.yaml"))


@pytest.fixture
def whole(settled: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The tailnet with its hosts, which can be read and need nothing."""
    settled.run("paisctl secrets init")
    wanted, vault = rendered(FILES, REPOSITORY), load_vault(Path("inventory/secrets.yaml"))
    fleet = SimulatedFleet(wanted)
    fleet.apply(fleet.plan(wanted, vault), vault)
    devices = pipeline.read_fleet(FILES).devices.items()
    names = {each.device.address: name for name, each in devices}

    def transport(settings: SshSettings) -> Transport:
        return probe.transport(fleet.hosts[names[settings.host]])

    monkeypatch.setattr("paisctl.targets.SshTransport", transport)
    return settled


def test_only_plans_of_the_whole_fleet_are_about_the_policy(whole: Site) -> None:
    whole.overlay(roles=MORE)
    for line in ("plan k6", "plan --on layer:edge", "plan --stack qdrant", "plan --skip-tailnet"):
        said = whole.run(f"paisctl {line}")
        assert (said.status, whole.requests) == (0, [])
        assert "policy" not in said.out
    assert whole.run("paisctl plan --detailed-exitcode").status == 2
    assert whole.requests == ["GET /acl", "POST /validate", "GET /devices"]


def test_without_credentials_the_policy_is_left_out_with_a_note(
    whole: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole.overlay(roles=MORE)
    monkeypatch.delenv("TAILSCALE_API_KEY")
    lines = ("paisctl plan --detailed-exitcode", "paisctl apply --yes", "paisctl acl plan")
    whole.say("tailnet-no-credentials", *lines)
    assert whole.requests == []


def test_drift_alone_can_be_left_alone_and_pending_changes_too(whole: Site) -> None:
    live = whole.server.policy
    whole.server.edit_by_hand(
        live.replace('"group:children": [', '"group:children": ["m@example.com", ')
    )
    whole.say(
        "tailnet-scopes",
        "paisctl plan --detailed-exitcode --ignore-drift",
        "paisctl plan --detailed-exitcode --only-drift",
    )
    whole.overlay(roles=MORE)
    assert whole.run("paisctl apply --yes --only-drift").status == 0
    assert "POST /acl" not in whole.requests


def test_a_saved_plan_sets_just_the_policy_that_was_shown(whole: Site) -> None:
    whole.overlay(roles=MORE)
    planned = whole.run("paisctl acl render").out
    shown = whole.run("paisctl plan -o plan.json").out
    assert shown in whole.run("paisctl show plan.json").out
    whole.overlay(roles={"child": {"services": []}})  # what the inventory says later is no matter
    whole.say("tailnet-saved", "paisctl apply plan.json", "paisctl apply plan.json")
    assert whole.server.policy == planned


@pytest.mark.parametrize("option", ["", " --replan-moved"])
def test_a_saved_plan_is_refused_when_the_policy_in_force_has_changed(
    whole: Site, option: str
) -> None:
    whole.overlay(roles=MORE)
    assert whole.run("paisctl plan -o plan.json").status == 0
    edited = whole.server.policy.replace('"tests": [', '"tests": [ ')
    whole.server.edit_by_hand(edited)
    said = whole.run(f"paisctl apply plan.json --yes{option}")
    assert said.status == 1
    assert "the policy in force has changed since the plan was made" in said.err
    assert whole.server.policy == edited
    assert whole.requests == ["GET /acl"]


def test_hosts_that_are_planned_anew_do_not_lose_the_policy(whole: Site) -> None:
    whole.overlay(roles=MORE)
    assert whole.run("paisctl plan -o plan.json").status == 0
    assert whole.run("paisctl apply plan.json --replan-moved").status == 0
    assert whole.server.policy == whole.run("paisctl acl render").out


def test_a_control_plane_that_is_down_is_no_success(whole: Site) -> None:
    whole.overlay(tailnet={"url": "http://127.0.0.1:1"})
    whole.say("tailnet-down", "paisctl plan --detailed-exitcode", "paisctl apply --yes")


def test_a_policy_that_is_left_to_others_is_no_part_of_it(whole: Site) -> None:
    whole.overlay(tailnet={"policy": False}, roles=MORE)
    assert whole.run("paisctl plan --detailed-exitcode").status == 0
    assert whole.requests == []
