"""A lab of its own: every device of the reference inventory that paisctl deploys to."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from paisctl import pipeline
from paisctl.inventory.selection import select

pytest.register_assert_rewrite("tests.e2e.fifteen.machines")

from tests.e2e.conftest import PROJECT  # noqa: E402
from tests.e2e.fifteen.machines import Machines, Seen  # noqa: E402
from tests.e2e.labs import Labs  # noqa: E402
from tests.e2e.rehearsal import Completed, SshdCounts  # noqa: E402
from tests.e2e.scenario import apply  # noqa: E402

REFERENCE = PROJECT / "inventory" / "pais.yaml"


@dataclass(frozen=True)
class FirstDeploy:
    """How the first apply of all went, what was there right after it, and how it logged in."""

    completed: Completed
    seen: dict[str, Seen]
    logins: dict[str, SshdCounts]


@pytest.fixture(scope="session")
def bare(labs: Labs) -> Machines:
    """All hosts, with nothing deployed."""
    devices = select(pipeline.desire([REFERENCE]).fleet)
    lab = labs.up("fifteen", [REFERENCE], devices)
    names = {each.host.device: each.host.container for each in lab.lab.status()}
    return Machines(lab, dict(pipeline.desire(lab.inventories).hosts), names)


@pytest.fixture(scope="session")
def first_deploy(bare: Machines) -> FirstDeploy:
    before = bare.look()
    completed = bare.lab.paisctl("apply", "--yes")
    bare.wait_for_health()
    seen = bare.look()
    logins = {device: seen[device].logins - before[device].logins for device in seen}
    return FirstDeploy(completed, seen, logins)


@pytest.fixture
def machines(bare: Machines, first_deploy: FirstDeploy) -> Machines:
    """All hosts as the inventory wants them, and well."""
    assert first_deploy.completed.returncode == 0, first_deploy.completed.stderr
    apply(bare.lab)
    bare.wait_for_health()
    return bare
