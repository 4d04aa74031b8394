"""Every example is an overlay that the reference fleet takes without a complaint."""

from __future__ import annotations

from pathlib import Path

import pytest

from paisctl import pipeline

PROJECT = Path(__file__).parents[2]
EXAMPLES = sorted((PROJECT / "examples").rglob("*.yaml"))
OVERLAYS = [path for path in EXAMPLES if not {"stacks", "ci"} & set(path.parts)]


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_an_example_has_no_problems(overlay: Path) -> None:
    assert list(pipeline.lint([PROJECT / "inventory" / "pais.yaml", overlay])) == []
