"""The policy of the reference fleet for a Headscale, whose language has no roles of people."""

from __future__ import annotations

from pathlib import Path

import pytest

from paisctl import pipeline

PROJECT = Path(__file__).parents[2]
TAGS = "tags: {ci: {description: Runs paisctl}}"


@pytest.mark.parametrize(
    ("control", "owners"),
    [("tailscale", ("autogroup:admin",)), ("headscale", ())],
)
def test_tags_are_given_by_whoever_administers_the_tailnet(
    tmp_path: Path, control: str, owners: tuple[str, ...]
) -> None:
    overlay = tmp_path / "overlay.yaml"
    url = "url: https://headscale.example.com" if control == "headscale" else ""
    overlay.write_text(f"tailnet:\n  control: {control}\n  {TAGS}\n  {url}\n")
    desired = pipeline.desire([PROJECT / "inventory" / "pais.yaml", overlay])
    assert set(desired.tailnet.policy.tag_owners.values()) == {owners}
    assert "tag:ci" in desired.tailnet.policy.tag_owners
