"""A device is the same by its name, by its full name and by its address."""

from __future__ import annotations

from pathlib import Path

import pytest

from paisctl.pipeline import desire
from paisctl.rendering.tailnet.explain import Explainer
from tests.unit.test_graph import fleet

NAMES = ["box", "box.example.ts.net", "100.64.0.1"]


def asked(folder: Path, overlay: str, source: str, target: str) -> bool:
    path = fleet(folder, {}, {"box": "{}", "pad": "{}"})
    (path / "more.yaml").write_text(overlay, "utf-8")
    desired = desire([path / "pais.yaml", path / "more.yaml"])
    answers = Explainer(desired.tailnet, desired.fleet).explain(source, target)
    return all(answer.is_allowed for answer in answers)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("source", "port"), [("{name}:/share", 2049), ("//{name}/share", 445)])
def test_what_is_mounted_can_be_reached(tmp_path: Path, name: str, source: str, port: int) -> None:
    mount = "{path: /m, source: '" + source.format(name=name) + "'}"
    overlay = "tailnet: {dns_name: example.ts.net}\ndevices: {pad: {mounts: [" + mount + "]}}"
    assert asked(tmp_path, overlay, "pad", f"box:{port}")


@pytest.mark.parametrize("name", NAMES)
def test_logins_are_let_in_where_they_are_taken(tmp_path: Path, name: str) -> None:
    overlay = (
        "tailnet: {dns_name: example.ts.net}\n"
        "users: [{id: ann@example.com, role: admin}]\n"
        f"devices: {{box: {{ssh: {{host: '{name}', port: 2222}}}}}}"
    )
    assert asked(tmp_path, overlay, "ann@example.com", "box:2222")
    assert not asked(tmp_path, overlay, "ann@example.com", "box:22")


def test_another_way_in_says_nothing_of_the_tailnet(tmp_path: Path) -> None:
    overlay = (
        "users: [{id: ann@example.com, role: admin}]\n"
        "devices: {box: {ssh: {host: 192.168.1.5, port: 2222}}}"
    )
    assert asked(tmp_path, overlay, "ann@example.com", "box:22")


@pytest.mark.parametrize("source", ["tag:old", "ANN@example.com", "admin", "group:admins"])
def test_sources_are_asked_for_as_rules_name_them(tmp_path: Path, source: str) -> None:
    overlay = (
        "users: [{id: ann@example.com, role: admin}]\n"
        "tags: {old: had for long}\n"
        "devices: {pad: {tags: [old], connects: [web]}, "
        "box: {exports: {web: {port: 80, description: pages}}}}"
    )
    assert asked(tmp_path, overlay, source, "box:web")
