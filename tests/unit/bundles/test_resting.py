"""What the rest of the fleet sees of a service that is not enabled."""

from __future__ import annotations

from pathlib import Path

from tests.unit.bundles.conftest import REFERENCE, RenderedFleet, overlay, render_inventory

NODE = "m7-1"
OFF = {"enabled": False}


def changed(before: RenderedFleet, after: RenderedFleet) -> set[str]:
    """The files that differ, as device/stack/path."""
    return {
        f"{device}/{stack.name}/{path}"
        for device, host in after.rendered.hosts.items()
        for stack in host.stacks.values()
        for path, file in stack.files.items()
        if before.file(device, stack.name, path) != file.content
    }


def resting(folder: Path, stack: str, *devices: str) -> RenderedFleet:
    settings = {device: {"stacks": {stack: OFF}} for device in devices}
    return render_inventory(REFERENCE, overlay(folder, {"devices": settings}))


def test_nothing_balances_to_it_or_scrapes_it_and_its_peers_stay_as_they_are(
    reference: RenderedFleet, tmp_path: Path
) -> None:
    after = resting(tmp_path, "qdrant", NODE)
    files = {path.partition("/")[2] for path in changed(reference, after)}
    assert any(path.startswith("haproxy/") for path in files)
    assert any(path.startswith("prometheus/") for path in files)
    assert not any(path.startswith("qdrant/") for path in files)
    assert after.rendered.hosts[NODE].stacks["qdrant"].resting
    instance = reference.rendered.graph.instances[NODE, "qdrant"]
    address = instance.ports["rest"].authority
    assert address in reference.file("mac-mini", "haproxy", "haproxy/haproxy.cfg")
    assert address not in after.file("mac-mini", "haproxy", "haproxy/haproxy.cfg")


def test_alerts_go_with_the_last_one_that_runs(reference: RenderedFleet, tmp_path: Path) -> None:
    devices = [name for name, h in reference.rendered.hosts.items() if "qdrant" in h.stacks]

    def alerts(fleet: RenderedFleet) -> str:
        stack = fleet.rendered.hosts["mac-mini"].stacks["prometheus"]
        return "".join(file.content for file in stack.files.values())

    needle = "A Qdrant collection has a shard"
    assert needle in alerts(reference)
    assert needle in alerts(resting(tmp_path, "qdrant", *devices[1:]))
    assert needle not in alerts(resting(tmp_path, "qdrant", *devices))


def test_what_cannot_be_without_it_keeps_its_files(
    reference: RenderedFleet, tmp_path: Path
) -> None:
    """So that nothing fails to render, and nothing is restarted for a rest."""
    devices = [name for name, h in reference.rendered.hosts.items() if "qdrant" in h.stacks]
    after = resting(tmp_path, "qdrant", *devices)
    assert not [path for path in changed(reference, after) if "/haproxy/" in path]


def test_the_access_policy_does_not_change_for_a_rest(
    reference: RenderedFleet, tmp_path: Path
) -> None:
    after = resting(tmp_path, "qdrant", NODE)
    edges = [
        [(e.source.key, e.target.key, e.target.port.name) for e in fleet.rendered.graph.edges]
        for fleet in (reference, after)
    ]
    assert edges[0] == edges[1]
