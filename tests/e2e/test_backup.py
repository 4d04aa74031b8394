"""Backups of the knowledge layer onto the NAS, from there off-site, and back. restic is real here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from paisctl import pipeline
from paisctl.lab.hosts import USER
from tests.e2e.conftest import INVENTORIES
from tests.e2e.rehearsal import Completed, Rehearsal
from tests.e2e.rollouts.knowledge import NODES, QDRANT, Knowledge, until
from tests.e2e.scenario import apply

AT = "/srv/backups"
NOTES = "/collections/notes"
STORE = f"{AT}/store/knowledge"
OFFSITE = f"{AT}/offsite"
BACKUPS: dict[str, Any] = {
    "secrets": {"restic": {"description": "Opens the off-site backups"}},
    "backups": {
        "knowledge": {
            "stack": "qdrant",
            "store": {"device": "nas", "path": f"{AT}/store"},
            "keep": {"last": 2, "daily": 0, "weekly": 0, "monthly": 0},
            # Named as the lab does, so that the lab's own overlay has nothing to say of backups: the
            # other tests of the fleet, which declare none, use it, too.
            "offsite": {
                "repository": OFFSITE,
                "password": {"secret": "restic"},
                "image": "paisctl-lab/restic:0.18.1",
            },
        },
        "samples": {"stack": "prometheus", "store": {"device": "nas", "path": f"{AT}/store"}},
        "cache": {"stack": "redis-cache", "store": {"device": "nas", "path": f"{AT}/store"}},
    },
}


@pytest.fixture(scope="module")
def declared(fleet: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """The shared fleet with backups declared, and restic's image on the NAS."""
    overlay = tmp_path_factory.mktemp("backups") / "backups.yaml"
    overlay.write_text(yaml.safe_dump(BACKUPS))
    files = [*INVENTORIES, overlay]
    fleet.lab.up(pipeline.desire(files), fleet.devices)
    return Rehearsal(fleet.lab, (*files, fleet.lab.overlay), fleet.devices)


@pytest.fixture
def knowledge(declared: Rehearsal, deployed: Rehearsal) -> Iterator[Knowledge]:
    """A collection of 300 points on the three nodes, and a NAS without any backup."""
    assert deployed
    cluster = Knowledge(declared)
    until(cluster.is_whole, 120)
    cluster.drop_all()
    cluster.create()
    cluster.put(300)
    declared.root("nas", "rm", "-rf", AT)
    declared.root("nas", "install", "-d", "-o", USER, AT, f"{AT}/store", OFFSITE)
    yield cluster
    cluster.drop_all()


def paisctl(cluster: Knowledge, *arguments: str, status: int = 0) -> Completed:
    done = cluster.lab.paisctl(*arguments)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def stamps(cluster: Knowledge) -> list[str]:
    """The finished backups on the NAS, the oldest first."""
    return sorted(cluster.lab.root("nas", "ls", STORE).split())


def manifest(cluster: Knowledge, stamp: str) -> dict[str, Any]:
    text = cluster.lab.root("nas", "cat", f"{STORE}/{stamp}/manifest.json")
    found: dict[str, Any] = json.loads(text)
    return found


def restic(cluster: Knowledge, *arguments: str) -> str:
    """What restic itself says of the repository, past paisctl."""
    secrets = yaml.safe_load((cluster.lab.lab.directory / "secrets.yaml").read_text())
    image = cluster.lab.root(
        "nas", "sh", "-c", "docker images --format '{{.Repository}}:{{.Tag}}' | grep /restic:"
    )
    return cluster.lab.root(
        *("nas", "docker", "run", "--rm", "-v", f"{OFFSITE}:/repository"),
        *("-e", f"RESTIC_PASSWORD={secrets['restic']}", "-e", "RESTIC_REPOSITORY=/repository"),
        *(image.split()[0], "--no-cache", *arguments),
    )


def test_a_destroyed_collection_comes_back_with_every_point(knowledge: Knowledge) -> None:
    paisctl(knowledge, "backup", "knowledge", "--no-offsite")
    knowledge.ask("k6", "DELETE", "/collections/notes")
    done = paisctl(knowledge, "restore", "knowledge", "--from", "latest", "--confirm", "notes")
    assert "300 points" in done.stdout
    assert all(knowledge.points(node) == set(range(300)) for node in NODES)
    assert knowledge.replica_states() == {"Active"}


def test_what_a_restore_replaces_can_be_had_back(knowledge: Knowledge) -> None:
    paisctl(knowledge, "backup", "knowledge", "--no-offsite")
    [full] = stamps(knowledge)
    knowledge.put(400)
    asked = paisctl(knowledge, "restore", "knowledge", "--from", full, "--dry-run")
    assert "now   400 points" in asked.stdout
    assert "then  300 points" in asked.stdout
    paisctl(knowledge, "restore", "knowledge", "--from", full, status=64)  # nobody to ask
    assert knowledge.points("k6") == set(range(400))
    paisctl(knowledge, "restore", "knowledge", "--from", full, "--confirm", "notes")
    assert knowledge.points("k6") == set(range(300))
    [before] = set(stamps(knowledge)) - {full}
    assert manifest(knowledge, before)["only"] == ["notes"]
    paisctl(knowledge, "restore", "knowledge", "--from", before, "--confirm", "notes")
    assert knowledge.points("m7-2") == set(range(400))


def test_a_broken_collection_comes_back_once_its_loss_is_accepted(knowledge: Knowledge) -> None:
    paisctl(knowledge, "backup", "knowledge", "--no-offsite")
    [full] = stamps(knowledge)
    knowledge.put(400)
    broken = dict.fromkeys((NOTES, f"{NOTES}/snapshots"), "shard 0 cannot be read")
    for node in NODES:
        knowledge.fault(node, refusals=broken)
    try:
        command = ("restore", "knowledge", "--from", full, "--confirm", "notes")
        refused = paisctl(knowledge, *command, status=1)
        assert "now   broken: k6: GET /collections/notes: shard 0 cannot be read" in refused.stdout
        assert "--accept-loss notes" in refused.stderr
        assert knowledge.points("k6") == set(range(400))
        done = paisctl(knowledge, *command, "--accept-loss", "notes")
        assert "300 points" in done.stdout
    finally:
        knowledge.mend()
    assert knowledge.points("m7-2") == set(range(300))


def taken(cluster: Knowledge, device: str, folder: str) -> str:
    """Have somebody else claim what is called `knowledge`; the file that says so."""
    file = f"{folder}/knowledge.claim"
    cluster.lab.root(device, "install", "-d", "-o", USER, folder)
    said = '{"run":"x","holder":"ann@desk","heartbeat":%s}'
    beat = f"printf '{said}' \"$(date +%s)\""
    cluster.lab.root(device, "sh", "-c", f"{beat} >{file}")
    return file


def test_who_comes_second_is_told_who_is_at_it(knowledge: Knowledge) -> None:
    paisctl(knowledge, "backup", "knowledge", "--no-offsite")
    restore = ("restore", "knowledge", "--from", "latest", "--confirm", "notes")
    claim = taken(knowledge, "nas", STORE)
    for command in (("backup", "knowledge", "--no-offsite"), restore):
        done = paisctl(knowledge, *command, status=1)
        assert "knowledge is being backed up or restored by ann@desk" in done.stderr
    paisctl(knowledge, "backup", "list", "knowledge")  # only looks
    knowledge.lab.root("nas", "rm", claim)
    claim = taken(knowledge, "m7-1", "/opt/paisctl/rollouts")
    done = paisctl(knowledge, *restore, status=1)
    assert "knowledge is being rolled by ann@desk" in done.stderr
    knowledge.lab.root("m7-1", "rm", claim)
    paisctl(knowledge, *restore)


def test_a_node_that_is_down_is_missing_and_the_others_are_kept(knowledge: Knowledge) -> None:
    fleet = knowledge.lab
    fleet.root("m7-2", "docker", "stop", QDRANT)
    try:
        done = paisctl(knowledge, "backup", "knowledge", "--no-offsite", status=1)
    finally:
        fleet.root("m7-2", "docker", "start", QDRANT)
    assert "m7-2  missing: " in done.stdout
    [stamp] = stamps(knowledge)
    kept = manifest(knowledge, stamp)
    assert set(kept["missing"]) == {"m7-2"}
    assert {piece["device"] for piece in kept["pieces"]} == {"k6", "m7-1"}
    metrics = fleet.root(
        "nas",
        "sh",
        "-c",
        "cat /*/paisctl/metrics/*.prom /*/*/paisctl/metrics/*.prom 2>/dev/null; true",
    )
    assert 'paisctl_backup_last_run_ok{backup="knowledge"} 0' in metrics
    assert 'paisctl_backup_last_success_timestamp_seconds{backup="knowledge"} 0' in metrics
    until(knowledge.is_whole, 120)


def test_old_backups_go_and_the_rest_is_off_site_too(knowledge: Knowledge) -> None:
    for _ in range(3):
        paisctl(knowledge, "backup", "knowledge")
    kept = stamps(knowledge)
    assert len(kept) == 2
    snapshots = json.loads(restic(knowledge, "snapshots", "--json"))
    assert [set(each["tags"]) for each in snapshots] == [
        {"knowledge", "state:complete", stamp} for stamp in kept
    ]
    listed = restic(knowledge, "ls", "latest")
    assert "/backups/knowledge/k6/notes.snapshot" in listed
    secret = yaml.safe_load((knowledge.lab.lab.directory / "secrets.yaml").read_text())["restic"]
    found = knowledge.lab.root("nas", "sh", "-c", f"grep -rl {secret} {AT} /tmp; true")
    assert found == ""
    paisctl(knowledge, "backup", "verify", "knowledge")


def test_a_flipped_byte_is_found(knowledge: Knowledge) -> None:
    paisctl(knowledge, "backup", "knowledge", "--no-offsite")
    paisctl(knowledge, "backup", "verify", "knowledge", "--no-offsite")
    [stamp] = stamps(knowledge)
    file = f"{STORE}/{stamp}/m7-1/notes.snapshot"
    flip = f"printf '\\377' | dd of={file} bs=1 seek=700 conv=notrunc 2>/dev/null"
    knowledge.lab.root("nas", "sh", "-c", flip)
    done = paisctl(knowledge, "backup", "knowledge", "verify", "--no-offsite", status=1)
    assert "m7-1/notes.snapshot is damaged" in done.stdout


def test_node_exporter_shows_that_a_backup_was_made(knowledge: Knowledge) -> None:
    paisctl(knowledge, "backup", "knowledge", "--no-offsite")
    address = knowledge.lab.lab.host("nas").address
    fetch = ("busybox", "wget", "-q", "-O", "-", f"http://{address}:9100/metrics")
    metrics = knowledge.lab.root("nas", *fetch)
    assert 'paisctl_backup_last_run_ok{backup="knowledge"} 1' in metrics
    assert "node_textfile_scrape_error 0" in metrics


def test_samples_of_prometheus_are_kept_and_come_back(knowledge: Knowledge) -> None:
    paisctl(knowledge, "backup", "samples")
    paisctl(knowledge, "backup", "verify", "samples")
    blocks = ("docker", "exec", "prometheus-prometheus-1", "sh", "-c", "ls -d /prometheus/0*")
    done = paisctl(knowledge, "restore", "samples", "--from", "latest", "--confirm", "blocks.tar")
    assert "blocks.tar" in done.stdout
    assert knowledge.lab.root("mac-mini", *blocks).split()
    left = ("docker", "exec", "prometheus-prometheus-1", "ls", "/prometheus")
    assert "restoring" not in knowledge.lab.root("mac-mini", *left)


def test_a_cache_has_nothing_to_keep(knowledge: Knowledge) -> None:
    done = paisctl(knowledge, "backup", "cache")
    assert "nothing to keep" in done.stdout
    apply(knowledge.lab)
