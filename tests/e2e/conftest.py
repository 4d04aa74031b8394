"""One lab for all end-to-end tests, and one of their own for tests that need to break it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.e2e.rehearsal", "tests.e2e.scenario")

from tests.e2e.labs import Labs  # noqa: E402
from tests.e2e.rehearsal import Rehearsal  # noqa: E402 - its assertions are to be rewritten
from tests.e2e.scenario import apply  # noqa: E402

# What a shell starts in the background has Ctrl-C ignored, and so would all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

PROJECT = Path(__file__).parents[2]
DEVICES = ("k6", "m7-1", "m7-2", "mac-mini", "nas", "box")
INVENTORIES = (PROJECT / "inventory" / "pais.yaml", PROJECT / "tests" / "e2e" / "fleet.yaml")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("e2e")
    yield
    # Tests that need no lab come first, and those of one lab together; random order holds within.
    labs = (here, here / "rollouts", here / "faults", here / "fifteen")
    items.sort(
        key=lambda item: sum(1 << n for n, lab in enumerate(labs) if lab in item.path.parents)
    )


@pytest.fixture(scope="session")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labs]:
    """The labs of this run, gone at its end."""
    labs = Labs(tmp_path_factory.mktemp("labs"))
    try:
        yield labs
    finally:
        labs.down()


@pytest.fixture(scope="session")
def fleet(labs: Labs) -> Rehearsal:
    """The lab: the first five devices of the reference fleet that have stacks, and a BusyBox box.

    It starts without anything deployed. Tests share it, in any order: each deploys what it needs.
    """
    return labs.up("fleet", INVENTORIES, DEVICES)


@pytest.fixture(scope="session")
def applied_twice(fleet: Rehearsal) -> list[dict[tuple[str, str], str]]:
    """Everything deployed by two applies; the container IDs after each."""
    apply(fleet)
    first = fleet.container_ids()
    apply(fleet)
    return [first, fleet.container_ids()]


@pytest.fixture
def deployed(
    fleet: Rehearsal, applied_twice: list[dict[tuple[str, str], str]]
) -> Iterator[Rehearsal]:
    """The fleet with everything as the inventory wants it, before the test and after it."""
    assert applied_twice
    yield fleet
    apply(fleet)
