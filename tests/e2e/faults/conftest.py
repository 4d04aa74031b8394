"""A lab of its own, to be broken and mended."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.e2e.faults.harness")

from tests.e2e.conftest import INVENTORIES  # noqa: E402
from tests.e2e.faults.harness.canary import look, new_version, put_data  # noqa: E402
from tests.e2e.faults.harness.host import Host  # noqa: E402
from tests.e2e.labs import Labs  # noqa: E402
from tests.e2e.rehearsal import Rehearsal  # noqa: E402
from tests.e2e.scenario import apply  # noqa: E402

DEVICES = ("box", "nas", "spare")
SETTLED = ("box", "nas")
FLEET = (*INVENTORIES, Path(__file__).with_name("fleet.yaml"))


@pytest.fixture(scope="session")
def broken_lab(labs: Labs) -> Rehearsal:
    """Two boxes with BusyBox, whose login may use Docker, and a NAS whose login needs sudo for it."""
    return labs.up("faults", FLEET, DEVICES)


@pytest.fixture
def lab(broken_lab: Rehearsal, tmp_path: Path) -> Rehearsal:
    """The lab, mended: on two hosts a version of the canary runs alone, with data in its volume."""
    for device in SETTLED:
        host = Host(broken_lab, device)
        host.wait_until_idle()
        if not look(host).is_well or host.stacks() != {"canary"}:
            apply(broken_lab, device, overlay=new_version(tmp_path).overlay)
        put_data(host)
    return broken_lab


@pytest.fixture
def box(lab: Rehearsal) -> Host:
    return Host(lab, "box")


@pytest.fixture
def nas(lab: Rehearsal) -> Host:
    return Host(lab, "nas")
