from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from paisctl import pipeline
from paisctl.lab.hosts import LabHost
from paisctl.lab.overlay import overlay_of

INVENTORY = Path(__file__).parents[3] / "inventory" / "pais.yaml"


def host(device: str) -> LabHost:
    return LabHost(device, "linux", f"paisctl-lab-x-{device}", "running", "10.213.0.10", 2222)


def overlay(*files: Path) -> dict[str, Any]:
    desired = pipeline.desire([INVENTORY, *files])
    return overlay_of(desired, [host("k6"), host("mac-mini")], Path("/state"))


def test_a_lab_host_is_reached_at_its_own_port_with_the_labs_keys() -> None:
    assert overlay()["devices"]["k6"] == {
        "address": "10.213.0.10",
        "ssh": {
            "host": "127.0.0.1",
            "port": 2222,
            "user": "paisctl",
            "identity_file": "/state/id_ed25519",
            "known_hosts": "/state/known_hosts",
        },
    }


def test_what_is_not_in_the_lab_is_not_deployed_to() -> None:
    devices = overlay()["devices"]
    assert devices["nas"]["deploy"] is False
    assert {name for name, device in devices.items() if "ssh" in device} == {"k6", "mac-mini"}


def test_no_address_of_the_real_fleet_is_left_in_a_lab() -> None:
    """Prometheus and HAProxy name every device; from a lab they must not reach the real ones."""
    addresses = [device["address"] for device in overlay()["devices"].values()]
    assert len(addresses) == 18
    assert all(address.startswith("10.213.0.") for address in addresses)
    vacant = [address for address in addresses if address != "10.213.0.10"]
    assert len(vacant) == len(set(vacant)) == 16


def test_images_are_replaced_once_per_stack_and_keep_the_inventorys_tag() -> None:
    qdrant = overlay()["stacks"]["qdrant"]
    assert qdrant == {"images": {"qdrant": {"repository": "paisctl-lab/qdrant-stand-in"}}}


@pytest.fixture
def pinned(tmp_path: Path) -> Path:
    tag = f"v1.19.0@sha256:{'0' * 64}"
    path = tmp_path / "pinned.yaml"
    path.write_text(yaml.safe_dump({"stacks": {"qdrant": {"images": {"qdrant": {"tag": tag}}}}}))
    return path


def test_a_digest_of_upstreams_image_is_left_out(pinned: Path) -> None:
    devices = overlay(pinned)["devices"]
    assert devices["k6"]["stacks"] == {"qdrant": {"images": {"qdrant": {"tag": "v1.19.0"}}}}
    assert "stacks" not in devices["mac-mini"]


def test_the_labs_secrets_are_its_own() -> None:
    assert overlay()["secrets_file"] == "/state/secrets.yaml"
