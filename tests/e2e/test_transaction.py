"""All or nothing over several hosts."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.rehearsal import Rehearsal
from tests.e2e.scenario import plan

OVERLAY = """
apply: {strategy: transaction}
stacks: {canary: {word: together}}
devices:
  box: {stacks: {canary: {pace: "1; echo cannot hold on >&2; exit 3; sleep 1"}}}
"""


def words(fleet: Rehearsal, device: str, root: str) -> str:
    return fleet.root(device, "cat", f"{root}/stacks/canary/settings/none.conf")


def test_when_one_host_fails_the_others_go_back_too(deployed: Rehearsal, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(OVERLAY)
    roots = {"box": "/opt/paisctl", "nas": "/volume1/docker/paisctl"}
    before = {device: words(deployed, device, root) for device, root in roots.items()}
    deployed.root("nas", "docker", "exec", "canary-canary-1", "sh", "-c", "echo mine >/data/kept")

    completed = deployed.paisctl("apply", "--yes", *roots, overlay=overlay)

    assert completed.returncode == 1
    assert "✗ box/compose:canary  rolled back to generation" in completed.stdout
    assert "✗ nas/compose:canary  rolled back to generation" in completed.stdout
    assert "    since another host failed" in completed.stdout
    assert "    | cannot hold on" in completed.stdout
    assert "Not done: of 2 stacks, 2 rolled back." in completed.stdout
    assert {device: words(deployed, device, root) for device, root in roots.items()} == before
    assert plan(deployed, *roots) == []
    kept = deployed.root("nas", "docker", "exec", "canary-canary-1", "cat", "/data/kept")
    assert kept == "mine\n"
