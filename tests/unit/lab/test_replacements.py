from __future__ import annotations

import pytest

from paisctl.lab.profiles import profile_for
from paisctl.lab.replacements import replacement


@pytest.mark.parametrize(
    ("upstream", "reference"),
    [
        ("redis:7.4.11-alpine", "paisctl-lab/redis:7.4.11-alpine"),
        ("docker.io/library/redis:8", "paisctl-lab/redis:8"),
        ("qdrant/qdrant:v1.19.0@sha256:abc", "paisctl-lab/qdrant-stand-in:v1.19.0"),
        ("haproxy", "paisctl-lab/haproxy:latest"),
        ("paisctl-lab/haproxy:3.2.22", "paisctl-lab/haproxy:3.2.22"),
    ],
)
def test_a_known_image_is_replaced_and_keeps_its_tag(upstream: str, reference: str) -> None:
    assert replacement(upstream).reference == reference


@pytest.mark.parametrize("upstream", ["acme/web:1.0", "registry:5000/redis", "acme/x@sha256:abc"])
def test_an_unknown_image_is_used_itself(upstream: str) -> None:
    image = replacement(upstream)
    assert image.target is None
    assert image.reference == upstream


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("v1.19.0", "1.19.0"),
        ("v1.19.0-unprivileged", "1.19.0"),
        ("cpu-1.9", "1.9"),
        ("edge", "edge"),
    ],
)
def test_a_stand_in_reports_the_number_in_its_tag(tag: str, version: str) -> None:
    assert replacement(f"qdrant/qdrant:{tag}").version == version


@pytest.mark.parametrize(
    ("kind", "os", "profile"),
    [
        ("jetson", "linux", "jetson"),
        ("synology", "dsm", "synology"),
        ("my-mac", "darwin", "darwin"),
        ("my-box", "linux", "linux"),
        ("my-thing", "other", "linux"),
    ],
)
def test_a_kind_without_a_profile_has_its_system_familys(kind: str, os: str, profile: str) -> None:
    assert profile_for(kind, os).name == profile
