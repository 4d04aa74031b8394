from __future__ import annotations

from typing import Any

import pytest

from paisctl.observed import HostState

IMAGES: dict[str, dict[str, Any]] = {
    "sha256:1": {"RepoTags": ["redis:7", "redis:7.4"], "RepoDigests": ["redis@sha256:aa"]},
    "sha256:2": {"RepoTags": ["registry:5000/team/app:1"], "RepoDigests": None},
    "sha256:3": {"RepoTags": None, "RepoDigests": ["ghcr.io/x/y@sha256:bb"]},
    "sha256:5": {"RepoTags": None, "RepoDigests": ["registry:5000/app@sha256:cc"]},
    "sha256:4": {"RepoTags": ["qdrant/qdrant:v1"], "RepoDigests": []},
}


@pytest.mark.parametrize(
    ("reference", "image_id"),
    [
        ("redis:7", "sha256:1"),
        ("docker.io/library/redis:7.4", "sha256:1"),
        ("docker.io/redis:7", "sha256:1"),
        ("redis:7@sha256:aa", "sha256:1"),
        ("redis@sha256:aa", "sha256:1"),
        ("redis:8", ""),
        ("redis:7@sha256:ff", ""),
        ("registry:5000/team/app:1", "sha256:2"),
        ("ghcr.io/x/y:v2@sha256:bb", "sha256:3"),
        ("ghcr.io/x/y@sha256:bb", "sha256:3"),
        ("docker.io/qdrant/qdrant:v1", "sha256:4"),
        ("library/redis:7", "sha256:1"),
        ("registry:5000/app@sha256:cc", "sha256:5"),
        ("registry:5000/app:2@sha256:cc", "sha256:5"),
    ],
)
def test_finding_the_image_of_a_reference(reference: str, image_id: str) -> None:
    assert HostState("k6", images=IMAGES).image_id(reference) == image_id
