"""A project with a tailnet whose control plane is on a loopback port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from paisctl.tailnet.headscale import Headscale
from paisctl.tailnet.tailscale import Tailscale
from tests.cli.tailnet.site import Door, QuickClock, Site
from tests.controlplane.headscale import API_KEY as HEADSCALE_KEY
from tests.controlplane.headscale import HeadscaleServer
from tests.controlplane.server import API_KEY, TailscaleServer
from tests.simulated.tailnet import PEOPLE, machines

Begin = Callable[[TailscaleServer | HeadscaleServer], Site]


@pytest.fixture
def begin(reference: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Sets up the reference fleet's project for a control plane; no host and no waiting."""
    sites: list[Site] = []

    def set_up(server: TailscaleServer | HeadscaleServer) -> Site:
        site = Site(reference, server)
        site.connect()
        sites.append(site)
        monkeypatch.setattr("paisctl.tailnet.applying.SshTransport", partial(Door, site))
        for client in (Tailscale, Headscale):
            patient = partial(client, sleep=site.pauses.append)
            monkeypatch.setattr(f"paisctl.tailnet.connect.{client.__name__}", patient)
        return site

    monkeypatch.setenv("PAISCTL_INVENTORY", "inventory/pais.yaml:tailnet.yaml:change.yaml")
    monkeypatch.setenv("TAILSCALE_API_KEY", API_KEY)
    monkeypatch.setenv("HEADSCALE_API_KEY", HEADSCALE_KEY)
    monkeypatch.setattr("paisctl.tailnet.applying.WallClock", QuickClock)
    monkeypatch.setattr("paisctl.tailnet.connection._TIMEOUT", httpx.Timeout(10.0))
    yield set_up
    for site in sites:
        site.check_files()


@pytest.fixture
def site(reference: Path, begin: Begin) -> Iterator[Site]:
    """A tailnet whose machines are tagged, under the policy of a new tailnet."""
    devices = machines((reference / "inventory/pais.yaml",), tagged=True)
    with TailscaleServer(devices=devices, users=PEOPLE) as server:
        yield begin(server)


@pytest.fixture
def settled(site: Site) -> Site:
    """The same with the inventory's policy in force."""
    site.settle()
    return site
