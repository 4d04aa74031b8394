"""Instances, the graph between them, and the order that follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.load import load
from paisctl.reconcile import in_order
from paisctl.reconcile.operations import dependency_levels
from paisctl.rendering.catalog import load_catalog
from paisctl.rendering.graph import check_order
from paisctl.rendering.instances import resolve_instances
from paisctl.rendering.render import Rendered, render
from tests.simulated.fleet import REPOSITORY

BUNDLE = """\
description: Test
images: {app: {repository: example/app, tag: "1", platforms: [amd64]}}
vars:
  size: {type: integer, description: A number, default: 1}
  words: {type: mapping, description: Words, default: {}}
ports: {http: {service: app, port: 80, description: HTTP}}
"""
COMPOSE = """\
services:
  app: {image: {{ images.app | json }}, ports: [{{ ports.http | string | json }}]}
"""
DEVICE = "{model: M, kind: linux, layer: l, role: r, arch: amd64, memory: 8g, storage: s, "


def fleet(directory: Path, stacks: dict[str, str], devices: dict[str, str]) -> Path:
    """Write a project: stacks by what their bundles add, devices by the stacks that they run."""
    for name, more in stacks.items():
        (directory / "stacks" / name).mkdir(parents=True)
        (directory / "stacks" / name / "bundle.yaml").write_text(f"{BUNDLE}{more}\n")
        (directory / "stacks" / name / "compose.yaml.j2").write_text(COMPOSE)
    lines = ["version: 1", "name: t", "tailnet: {dns_name: t.ts.net}", "devices:"]
    for number, (name, runs) in enumerate(devices.items(), 1):
        lines.append(f"  {name}: {DEVICE} address: 100.64.0.{number}, stacks: {runs}}}")
    (directory / "pais.yaml").write_text("\n".join(lines) + "\n")
    return directory


def drawn(directory: Path) -> tuple[Rendered, Diagnostics]:
    diagnostics = Diagnostics()
    found = load([directory / "pais.yaml"], diagnostics)
    assert found
    return render(found, load_catalog([directory], diagnostics), diagnostics), diagnostics


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """`web` needs `api` needs `db`; `db` is a cluster; `late` connects without waiting."""
    return fleet(
        tmp_path,
        {
            "web": "connects: [{export: api}]",
            "api": "exports: {api: http}\nconnects: [{export: db, extra_hosts: true}]",
            "db": "exports: {db: http}\nconnects: [{export: db, peers: true}]",
            "late": "exports: {late: http}\nconnects: [{export: db, after: false}]",
            "lonely": "connects: [{export: nothing, optional: true}]",
        },
        {
            "one": "{web: {ports: {http: 81}}, api: {ports: {http: 82}}, db: , late: {ports: {http: 83}}}",
            "two": "{db: {ports: {http: 90}}, lonely: }",
            "three": "{db: }",
        },
    )


def test_edges_lead_to_every_instance_of_an_export(chain: Path) -> None:
    graph = drawn(chain)[0].graph
    urls = {e.target.url for e in graph.edges_of(("one", "api"))}
    assert urls == {"http://100.64.0.1:80", "http://100.64.0.2:90", "http://100.64.0.3:80"}
    assert graph.edges_of(("two", "lonely")) == []


def test_peers_wait_for_those_before_them_only(chain: Path) -> None:
    graph = drawn(chain)[0].graph
    assert graph.needs(("one", "db")) == []
    assert graph.needs(("two", "db")) == [("one", "db")]
    assert graph.needs(("three", "db")) == [("one", "db"), ("two", "db")]


def test_needs_follow_the_edges_unless_told_otherwise(chain: Path) -> None:
    graph = drawn(chain)[0].graph
    assert graph.needs(("one", "web")) == [("one", "api")]
    assert graph.needs(("one", "api")) == [("one", "db"), ("two", "db"), ("three", "db")]
    assert graph.needs(("one", "late")) == []


def test_the_stacks_of_a_host_are_applied_after_what_they_need(chain: Path) -> None:
    host = drawn(chain)[0].hosts["one"]
    assert [stack.name for stack in in_order(host.stacks)] == ["db", "api", "web", "late"]


def test_names_of_other_devices_are_in_extra_hosts_where_they_are_asked_for(chain: Path) -> None:
    stacks = drawn(chain)[0].hosts["one"].stacks
    names = stacks["api"].services["app"].definition["extra_hosts"]
    assert names == ["three:100.64.0.3", "two:100.64.0.2"]  # and not its own
    assert "extra_hosts" not in stacks["db"].services["app"].definition


def test_what_one_connects_to_is_an_input_with_its_line(chain: Path) -> None:
    given = drawn(chain)[0].hosts["one"].stacks["api"].inputs["two/db http"]
    assert given.text == "100.64.0.2:90"
    assert given.mark
    assert given.mark.line == 6


def test_a_circle_is_reported_once_and_breaks_nothing(tmp_path: Path) -> None:
    circle = fleet(
        tmp_path,
        {
            "a": "exports: {a: http}\nconnects: [{export: b}]",
            "b": "exports: {b: http}\nconnects: [{export: a}]",
        },
        {"one": "{a: , b: {ports: {http: 81}}}"},
    )
    rendered, diagnostics = drawn(circle)
    assert [d.code for d in diagnostics] == ["dependency-cycle"]
    assert "one/a → one/b → one/a" in next(iter(diagnostics)).message
    assert {stack.name for stack in in_order(rendered.hosts["one"].stacks)} == {"a", "b"}
    again = Diagnostics()
    check_order(rendered.graph, again)
    assert len(list(again)) == 1


def test_a_device_wins_over_what_is_shared_and_that_over_the_bundle(tmp_path: Path) -> None:
    directory = fleet(
        tmp_path,
        {"web": ""},
        {"one": "{web: {size: 3, images: {app: {tag: x}}}}", "two": "{web: }"},
    )
    path = directory / "pais.yaml"
    shared = (
        "stacks: {web: {size: 2, images: {app: {repository: mirror/app}}, ports: {http: 81}}}\n"
    )
    path.write_text(path.read_text() + shared)
    diagnostics = Diagnostics()
    found = load([path], diagnostics)
    assert found
    instances = resolve_instances(found, load_catalog([directory], diagnostics), diagnostics)
    one, two = instances["one", "web"], instances["two", "web"]
    assert (one.vars["size"], two.vars["size"]) == (3, 2)
    assert one.images == {"app": "mirror/app:x"}
    assert two.images == {"app": "mirror/app:1"}
    assert str(one.ports["http"]) == "100.64.0.1:81:80"
    marks = [one.settings[n].mark for n in ("size", "images.app.repository", "words")]
    assert [mark.line if mark else None for mark in marks] == [5, 7, None]


def test_levels_of_a_stack() -> None:
    diagnostics = Diagnostics()
    found = load([REPOSITORY / "inventory/pais.yaml"], diagnostics)
    assert found
    hosts = render(found, load_catalog([REPOSITORY], diagnostics), diagnostics).hosts
    assert dependency_levels(hosts["k6"].stacks["embeddings"]) == [["ollama"], ["models"]]
