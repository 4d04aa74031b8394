"""What the Qdrant bundle renders for the reference fleet."""

from __future__ import annotations

from pathlib import Path

from paisctl.secrets import token
from tests.unit.bundles.conftest import REFERENCE, RenderedFleet, overlay, render_inventory


def test_settings_have_the_names_that_qdrant_reads(reference: RenderedFleet) -> None:
    environment = reference.service("m7-1", "qdrant", "qdrant")["environment"]
    assert environment["QDRANT__CLUSTER__ENABLED"] == "true"
    assert environment["QDRANT_URI"] == "http://100.64.0.22:6335"
    assert environment["QDRANT__SERVICE__API_KEY"] == token("qdrant_api_key")
    assert environment["QDRANT__TELEMETRY_DISABLED"] == "true"
    assert environment["QDRANT__STORAGE__COLLECTION__REPLICATION_FACTOR"] == "2"
    assert environment["QDRANT__STORAGE__COLLECTION__WRITE_CONSISTENCY_FACTOR"] == "1"
    # The names of the framework's own example, which Qdrant ignores without a word.
    assert not {"QDRANT_CLUSTER_ENABLED", "QDRANT_BOOTSTRAP_URL"} & set(environment)


def test_nodes_reach_each_other_through_published_ports(reference: RenderedFleet) -> None:
    ports = reference.service("m7-2", "qdrant", "qdrant")["ports"]
    assert "100.64.0.23:6335:6335" in ports
    assert "100.64.0.23:6333:6333" in ports


def test_nodes_come_up_one_at_a_time_and_wait_for_each_other(reference: RenderedFleet) -> None:
    hosts = reference.rendered.hosts
    needs = {name: hosts[name].stacks["qdrant"].needs for name in ("k6", "m7-1", "m7-2")}
    k6, first = ("k6", "qdrant"), ("m7-1", "qdrant")
    assert needs == {"k6": (), "m7-1": (k6,), "m7-2": (k6, first)}
    expected = [hosts[name].stacks["qdrant"].gates[0].command[-1] for name in needs]
    assert expected == ["1", "2", "3"]


def test_all_nodes_have_the_same_list_of_members(reference: RenderedFleet) -> None:
    lists = {reference.file(name, "qdrant", "cluster/members") for name in ("k6", "m7-1", "m7-2")}
    assert lists == {"http://100.64.0.21:6335\nhttp://100.64.0.22:6335\nhttp://100.64.0.23:6335\n"}


def test_a_new_member_changes_nobodys_environment(reference: RenderedFleet, tmp_path: Path) -> None:
    fourth = {"devices": {"ai-max": {"stacks": {"qdrant": {"memory": "20g"}}}}}
    changed = render_inventory(REFERENCE, overlay(tmp_path, fourth))
    before, after = (f.service("k6", "qdrant", "qdrant") for f in (reference, changed))
    assert before["environment"] == after["environment"]
    assert "100.64.0.31" in changed.file("k6", "qdrant", "cluster/members")
