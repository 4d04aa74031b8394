"""Render, apply, plan: whatever was asked for, and whatever there was before, nothing is left."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings

from paisctl.desired import HostSpec
from paisctl.diagnostics import Diagnostics
from paisctl.inventory.load import load
from paisctl.rendering.catalog import Catalog, load_catalog
from paisctl.rendering.render import render
from paisctl.secrets import Vault
from tests.properties.strategies import NASTY, as_yaml, overlays, texts
from tests.simulated.fleet import SimulatedFleet

FLEET = Path(__file__).parents[1] / "cases/plan/fleet"


@functools.cache
def catalog() -> Catalog:
    return load_catalog([FLEET], Diagnostics())


def asked(overlay: Mapping[str, Any], directory: Path) -> Mapping[str, HostSpec]:
    path = directory / "overlay.yaml"
    path.write_text(as_yaml(overlay), encoding="utf-8")
    diagnostics = Diagnostics()
    fleet = load([FLEET / "inventory.yaml", path], diagnostics)
    assert fleet
    hosts = render(fleet, catalog(), diagnostics).hosts
    assert not diagnostics.errors, diagnostics.errors
    return hosts


@given(before=overlays, after=overlays, secret=texts, changed=texts)
@example(before={}, after={}, secret=NASTY, changed=NASTY + "x")
@example(before={}, after={}, secret="0123", changed="1e5")  # noqa: S106
@example(before={}, after={}, secret="true", changed="null")  # noqa: S106
@settings(max_examples=40)
def test_after_an_apply_nothing_is_left(
    tmp_path_factory: Any,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    secret: str,
    changed: str,
) -> None:
    directory = tmp_path_factory.mktemp("inventory")
    old, new = Vault({"db_password": secret}, "key"), Vault({"db_password": changed}, "key")
    was, wanted = asked(before, directory), asked(after, directory)
    fleet = SimulatedFleet(was)

    fleet.apply(fleet.plan(was, old), old)
    assert str(fleet.plan(was, old)) == "no changes"
    box = fleet.hosts["box"]
    environment = box.containers["db-db-1"]["Config"]["Env"]
    assert f"POSTGRES_PASSWORD={secret}" in environment

    running = {name: each["Id"] for name, each in box.containers.items()}
    fleet.apply(fleet.plan(was, old), old)
    assert {name: each["Id"] for name, each in box.containers.items()} == running

    fleet.apply(fleet.plan(wanted, new), new)
    assert str(fleet.plan(wanted, new)) == "no changes"
    if was == wanted and secret == changed:
        assert {name: each["Id"] for name, each in box.containers.items()} == running
