"""The how-to for adding a stack, done as it says."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import yaml

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.load import load
from paisctl.rendering.catalog import load_catalog
from paisctl.rendering.render import render
from tests.unit.bundles.conftest import REFERENCE, REPOSITORY

HOW_TO = REPOSITORY / "docs" / "how-to" / "add-a-stack.md"


def test_the_example_works_as_written(tmp_path: Path) -> None:
    blocks = re.findall(
        r"^ *```yaml\n(.*?)^ *```", HOW_TO.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    bundle, template, inventory = map(textwrap.dedent, blocks)
    folder = tmp_path / "stacks" / "files"
    folder.mkdir(parents=True)
    (folder / "bundle.yaml").write_text(bundle)
    (folder / "compose.yaml.j2").write_text(template)
    (tmp_path / "overlay.yaml").write_text(inventory)

    diagnostics = Diagnostics()
    fleet = load([REFERENCE, tmp_path / "overlay.yaml"], diagnostics)
    assert fleet
    catalog = load_catalog([tmp_path, REPOSITORY], diagnostics)
    hosts = render(fleet, catalog, diagnostics).hosts
    assert list(diagnostics) == []
    written = yaml.safe_load(hosts["nas"].stacks["files"].files["compose.yaml"].content)
    assert written["services"]["files"]["ports"] == ["100.64.0.61:8080:8080"]
    assert written["services"]["files"]["volumes"][0]["source"] == "/volume1/family"
