"""The same commands, and a control plane that is Headscale's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from paisctl.policy.document import digest
from paisctl.policy.text import read, stamp_of
from tests.cli.tailnet.conftest import Begin
from tests.cli.tailnet.site import Site
from tests.cli.tailnet.test_access import MORE
from tests.controlplane.headscale import Generation, HeadscaleServer
from tests.simulated.tailnet import PEOPLE, lets_in, machines


@pytest.fixture(params=["0.29", "0.30"])
def generation(request: pytest.FixtureRequest) -> Generation:
    found: Generation = request.param
    return found


@pytest.fixture
def site(reference: Path, begin: Begin, generation: Generation) -> Iterator[Site]:
    """A Headscale that never had a policy, and whose machines are its admin's."""
    devices = machines((reference / "inventory/pais.yaml",), tagged=False)
    with HeadscaleServer(devices=devices, users=PEOPLE, generation=generation) as server:
        yield begin(server)


def test_the_main_path(site: Site) -> None:
    assert site.run("paisctl devices").status == 1
    assert site.run("paisctl devices tag --yes").status == 0
    done = site.run("paisctl acl apply --yes")
    assert (done.status, site.record) == (0, [])
    assert "✓ 15 hosts reached anew" in done.out
    assert stamp_of(site.server.policy) == digest(read(site.server.policy))
    assert lets_in(site.server.packet_filter(), site.server.tailnet, "k6")
    assert site.run("paisctl acl apply --yes").status == 0
    assert site.requests == ["GET /policy"]
    assert site.run("paisctl devices").status == 0
    key = site.run("paisctl devices key k6")
    assert (key.status, key.out) == (0, "hskey-auth-test1-notasecret\n")


def test_a_policy_that_locks_out_is_taken_back(site: Site) -> None:
    site.run("paisctl devices tag --yes")
    site.settle()
    before = site.server.policy
    site.overlay(roles={"admin": {"ssh": False}})
    done = site.run("paisctl acl apply --yes")
    assert done.status == 1
    assert "Not done: the old access policy is in force again." in done.out
    assert (site.server.policy, site.record) == (before, [])


def test_a_policy_from_a_file_is_refused_in_words(
    reference: Path, begin: Begin, generation: Generation
) -> None:
    devices = machines((reference / "inventory/pais.yaml",), tagged=True)
    with HeadscaleServer(
        devices=devices, users=PEOPLE, generation=generation, mode="file", policy="{}"
    ) as server:
        site = begin(server)
        site.server.file.put(site.run("paisctl acl render").out)
        before = site.server.policy
        site.overlay(roles=MORE)
        site.say("tailnet-headscale-file", "paisctl acl apply --yes")
        assert (site.server.policy, site.record) == (before, [])
