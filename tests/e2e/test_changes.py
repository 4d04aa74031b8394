"""Every sort of change and drift: named exactly, mended exactly, nothing else touched."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from tests.e2e.rehearsal import Rehearsal
from tests.e2e.scenario import Found, Scenario, apply, found, plan, play

BOX = "box"
CANARY = "canary-canary-1"
FOLDER = "/opt/paisctl/stacks/canary"


def docker(fleet: Rehearsal, *arguments: str, device: str = BOX) -> str:
    return fleet.root(device, "docker", *arguments)


def wait_for(fleet: Rehearsal, template: str, value: str) -> None:
    """Wait until `docker inspect` of the canary shows a value."""
    deadline = time.monotonic() + 60
    while docker(fleet, "inspect", "--format", template, CANARY).strip() != value:
        assert time.monotonic() < deadline, f"{template} is not {value} after a minute"
        time.sleep(0.3)


def update(subject: str, name: str = "", action: str = "update", device: str = BOX) -> Found:
    return (f"{device}/canary", action, subject, name)


def edited(name: str, value: object, field: str) -> Scenario:
    """A setting of the canary on the box that is changed in the inventory: it is recreated."""
    return Scenario(
        name,
        frozenset({update("service canary", field)}),
        overlay={"devices": {BOX: {"stacks": {"canary": {name: value}}}}},
        renewed=frozenset({(BOX, CANARY)}),
        cause="pending",
    )


EDITS = [
    edited("memory", "48m", "memory limit"),
    edited("environment", {"MOOD": 'it\'s "fine", $really ünïcode'}, "environment MOOD"),
    edited("pace", "0.5", "command"),
    edited("restart", "always", "restart policy"),
    edited("labels", {"family.owner": "parents"}, "label family.owner"),
    edited("retries", 2, "health check"),
    edited("mounts", ["data:/also"], "mounts"),
    edited("ports", {"web": 7071}, "ports"),
]


@pytest.mark.parametrize("scenario", EDITS, ids=lambda s: s.name)
def test_a_changed_setting_recreates_its_service_only(
    deployed: Rehearsal, tmp_path: Path, scenario: Scenario
) -> None:
    play(deployed, scenario, tmp_path)


def test_a_changed_image_is_used(deployed: Rehearsal, tmp_path: Path) -> None:
    docker(deployed, "tag", "paisctl-lab/redis:7.4.11-alpine", "paisctl-lab/redis:7.4.12-alpine")
    tag = {"images": {"main": {"tag": "7.4.12-alpine"}}}
    both = frozenset({update("service canary", "image"), update("service job", "image")})
    scenario = Scenario(
        "image",
        both,
        overlay={"devices": {BOX: {"stacks": {"canary": tag}}}},
        renewed=frozenset({(BOX, CANARY), (BOX, "canary-job-1")}),
        cause="pending",
    )
    play(deployed, scenario, tmp_path)
    used = deployed.containers(BOX)[CANARY]["Config"]["Image"]
    assert used == "paisctl-lab/redis:7.4.12-alpine"


def test_a_hostile_environment_value_arrives_as_it_was_written(
    deployed: Rehearsal, tmp_path: Path
) -> None:
    value = "a 'b' \"c\" $d ${e} `f` \\g ü\tü #h ; rm -rf /"
    overlay = tmp_path / "overlay.yaml"
    setting = {"environment": {"NASTY": value}}
    overlay.write_text(yaml.safe_dump({"devices": {BOX: {"stacks": {"canary": setting}}}}))
    apply(deployed, BOX, overlay=overlay)
    environment = deployed.containers(BOX)[CANARY]["Config"]["Env"]
    assert f"NASTY={value}" in environment


def test_a_changed_file_does_what_its_bundle_says(deployed: Rehearsal, tmp_path: Path) -> None:
    """none: nothing; reload: a signal; restart: the same container; recreate: another one."""
    before = deployed.containers(BOX)[CANARY]
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("devices: {box: {stacks: {canary: {word: second}}}}")
    changes = plan(deployed, BOX, overlay=overlay)
    assert {(c["subject"], c["disruption"]) for c in changes} == {
        ("file settings/none.conf", "none"),
        ("file settings/a name with 'quotes' and ünïcode.conf", "none"),
        ("file settings/reload.conf", "reload"),
        ("file restart/restart.conf", "restart"),
        ("file recreate/recreate.conf", "recreate"),
    }
    apply(deployed, BOX, overlay=overlay)
    after = deployed.containers(BOX)[CANARY]
    assert after["Id"] != before["Id"]
    seen = docker(deployed, "exec", CANARY, "cat", "/settings/none.conf", "/recreate/recreate.conf")
    assert seen == "word = second\nword = second\n"
    odd = f"{FOLDER}/settings/a name with 'quotes' and ünïcode.conf"
    assert deployed.root(BOX, "cat", odd) == "word = second\n"


HAND_EDITS = [
    ("settings/none.conf", set()),
    ("settings/reload.conf", set()),
    ("restart/restart.conf", set()),
    ("recreate/recreate.conf", {(BOX, CANARY)}),
    ("compose.yaml", set()),
]


@pytest.mark.parametrize(("path", "renewed"), HAND_EDITS)
def test_a_file_edited_on_the_host_is_put_back(
    deployed: Rehearsal, tmp_path: Path, path: str, renewed: set[tuple[str, str]]
) -> None:
    def edit(fleet: Rehearsal) -> None:
        fleet.root(BOX, "sh", "-c", f"echo '# by hand' >> {FOLDER}/{path}")

    wanted = deployed.root(BOX, "cat", f"{FOLDER}/{path}")
    started = deployed.containers(BOX)[CANARY]["State"]["StartedAt"]
    expected = frozenset({update(f"file {path}", "", "mend")})
    play(
        deployed,
        Scenario("edited", expected, by_hand=edit, renewed=frozenset(renewed)),
        tmp_path,
    )
    assert deployed.root(BOX, "cat", f"{FOLDER}/{path}") == wanted
    restarted = deployed.containers(BOX)[CANARY]["State"]["StartedAt"] != started
    assert restarted == (path.startswith(("restart/", "recreate/")))
    if path == "settings/reload.conf":
        assert "reloaded" in docker(deployed, "logs", CANARY)


def test_a_file_deleted_on_the_host_comes_back(deployed: Rehearsal, tmp_path: Path) -> None:
    path = f"{FOLDER}/settings/none.conf"
    expected = frozenset({update("file settings/none.conf", "", "mend")})
    scenario = Scenario(
        "deleted", expected, by_hand=lambda fleet: void(fleet.root(BOX, "rm", path))
    )
    play(deployed, scenario, tmp_path)
    assert deployed.root(BOX, "cat", path) == "word = first\n"


def test_changed_permissions_are_put_back(deployed: Rehearsal, tmp_path: Path) -> None:
    path = f"{FOLDER}/compose.override.yaml"
    expected = frozenset({update("file compose.override.yaml", "mode", "mend")})
    open_it = Scenario(
        "mode", expected, by_hand=lambda fleet: void(fleet.root(BOX, "chmod", "644", path))
    )
    play(deployed, open_it, tmp_path)
    assert deployed.root(BOX, "stat", "-c", "%a", path) == "600\n"


def test_a_docker_update_by_hand_is_seen_and_undone(deployed: Rehearsal, tmp_path: Path) -> None:
    def squeeze(fleet: Rehearsal) -> None:
        docker(fleet, "update", "--memory", "24m", "--memory-swap", "48m", CANARY)

    expected = frozenset({update("service canary", "memory limit", "mend")})
    renewed = frozenset({(BOX, CANARY)})
    play(deployed, Scenario("update", expected, by_hand=squeeze, renewed=renewed), tmp_path)
    assert deployed.containers(BOX)[CANARY]["HostConfig"]["Memory"] == 32 * 1024**2


def test_a_removed_container_comes_back(deployed: Rehearsal, tmp_path: Path) -> None:
    scenario = Scenario(
        "removed",
        frozenset({update("service canary", "container", "mend")}),
        by_hand=lambda fleet: void(docker(fleet, "rm", "-f", CANARY)),
        renewed=frozenset({(BOX, CANARY)}),
    )
    play(deployed, scenario, tmp_path)


def test_a_stopped_container_is_started(deployed: Rehearsal, tmp_path: Path) -> None:
    expected = frozenset({update("service canary", "state", "mend")})
    stop = Scenario("stopped", expected, by_hand=lambda fleet: void(docker(fleet, "stop", CANARY)))
    play(deployed, stop, tmp_path)
    assert deployed.containers(BOX)[CANARY]["State"]["Status"] == "running"


def test_a_paused_container_goes_on(deployed: Rehearsal, tmp_path: Path) -> None:
    expected = frozenset({update("service canary", "state", "mend")})
    started = deployed.containers(BOX)[CANARY]["State"]["StartedAt"]
    pause = Scenario("paused", expected, by_hand=lambda fleet: void(docker(fleet, "pause", CANARY)))
    play(deployed, pause, tmp_path)
    assert deployed.containers(BOX)[CANARY]["State"]["StartedAt"] == started


def test_an_unhealthy_container_is_restarted(deployed: Rehearsal, tmp_path: Path) -> None:
    def sicken(fleet: Rehearsal) -> None:
        docker(fleet, "exec", CANARY, "touch", "/run/sick")
        wait_for(fleet, "{{.State.Health.Status}}", "unhealthy")

    expected = frozenset({update("service canary", "state", "mend")})
    play(deployed, Scenario("unhealthy", expected, by_hand=sicken), tmp_path)
    wait_for(deployed, "{{.State.Health.Status}}", "healthy")


def stop_crashing(fleet: Rehearsal) -> None:
    volume = docker(fleet, "volume", "inspect", "--format", "{{.Mountpoint}}", "canary_data")
    fleet.root(BOX, "rm", "-f", f"{volume.strip()}/crash")


def test_a_container_that_keeps_restarting_is_seen(deployed: Rehearsal, tmp_path: Path) -> None:
    def crash(fleet: Rehearsal) -> None:
        docker(fleet, "exec", CANARY, "touch", "/data/crash")
        docker(fleet, "restart", "--time", "1", CANARY)
        # Docker doubles its pause before each restart: after some, the pause is long enough.
        wait_for(fleet, "{{ge .RestartCount 7}} {{.State.Status}}", "true restarting")
        stop_crashing(fleet)

    expected = frozenset({update("service canary", "state", "mend")})
    try:
        play(deployed, Scenario("restarting", expected, by_hand=crash), tmp_path)
    finally:
        stop_crashing(deployed)
    assert deployed.containers(BOX)[CANARY]["State"]["Status"] == "running"


def test_a_tag_that_points_elsewhere_now_is_seen(deployed: Rehearsal, tmp_path: Path) -> None:
    image = "paisctl-lab/redis:7.4.11-alpine"

    def retag(fleet: Rehearsal) -> None:
        docker(fleet, "tag", image, "before:retag")
        docker(fleet, "commit", "--pause=false", "--change", "LABEL moved=yes", CANARY, image)

    expected = frozenset(
        {update("service canary", "image", "mend"), update("service job", "image", "mend")}
    )
    renewed = frozenset({(BOX, CANARY), (BOX, "canary-job-1")})
    try:
        play(deployed, Scenario("retag", expected, by_hand=retag, renewed=renewed), tmp_path)
    finally:
        docker(deployed, "tag", "before:retag", image)


def test_a_network_attached_by_hand_is_detached(deployed: Rehearsal, tmp_path: Path) -> None:
    def attach(fleet: Rehearsal) -> None:
        docker(fleet, "network", "create", "side-door")
        docker(fleet, "network", "connect", "side-door", CANARY)

    expected = frozenset({update("service canary", "networks", "mend")})
    try:
        play(deployed, Scenario("network", expected, by_hand=attach), tmp_path)
        networks = deployed.containers(BOX)[CANARY]["NetworkSettings"]["Networks"]
        assert list(networks) == ["canary_default"]
    finally:
        docker(deployed, "network", "rm", "side-door")


def test_a_container_that_nobody_wants_is_removed_from_the_project(
    deployed: Rehearsal, tmp_path: Path
) -> None:
    def intrude(fleet: Rehearsal) -> None:
        label = "com.docker.compose.project=canary"
        image = "paisctl-lab/redis:7.4.11-alpine"
        docker(
            fleet,
            "run",
            "-d",
            "--name",
            "intruder",
            "--label",
            label,
            "--entrypoint",
            "sleep",
            image,
            "600",
        )

    expected = frozenset({update("container intruder", "", "delete")})
    scenario = Scenario("intruder", expected, by_hand=intrude)
    play(deployed, scenario, tmp_path)


def test_a_removed_service_goes_and_its_volume_stays(deployed: Rehearsal, tmp_path: Path) -> None:
    overlay = tmp_path / "extra.yaml"
    overlay.write_text("devices: {box: {stacks: {canary: {extra: true}}}}")
    apply(deployed, BOX, overlay=overlay)
    assert "canary-extra-1" in deployed.containers(BOX)
    scenario = Scenario(
        "service-removed",
        frozenset({update("service extra", "", "delete")}),
        gone=frozenset({(BOX, "canary-extra-1")}),
        cause="orphan",
    )
    play(deployed, scenario, tmp_path)


def test_a_removed_stack_goes_and_its_volume_stays(deployed: Rehearsal, tmp_path: Path) -> None:
    docker(deployed, "exec", CANARY, "sh", "-c", "echo precious > /data/kept")
    scenario = Scenario(
        "stack-removed",
        frozenset({update("stack", "", "delete")}),
        overlay={"devices": {BOX: {"stacks": {"canary": None}}}},
        gone=frozenset({(BOX, CANARY), (BOX, "canary-job-1")}),
        cause="orphan",
    )
    play(deployed, scenario, tmp_path)
    assert "canary_data" in docker(deployed, "volume", "ls", "-q").split()
    assert deployed.root(BOX, "ls", "/opt/paisctl/stacks").split() == ["node-exporter"]
    apply(deployed, BOX)
    assert docker(deployed, "exec", CANARY, "cat", "/data/kept") == "precious\n"


def test_a_changed_secret_is_noticed_and_never_shown(deployed: Rehearsal) -> None:
    secrets = deployed.lab.directory / "secrets.yaml"
    kept = secrets.read_text()
    old = next(line for line in kept.splitlines() if line.startswith("canary_token:"))
    new = "spaces 'quotes' \"double\" $dollar ünïcode"
    secrets.write_text(kept.replace(old, "canary_token: |-\n  " + new))
    try:
        shown = deployed.paisctl("plan", "--diff")
        assert "secret canary_token has another value" in shown.stdout
        assert new not in shown.stdout + shown.stderr
        assert {(s, f) for _, _, s, f in found(plan(deployed))} == {
            ("service canary", "environment CANARY_TOKEN")
        }
        assert new not in apply(deployed)
        for device in (BOX, "nas", "m7-2"):
            environment = deployed.containers(device)[CANARY]["Config"]["Env"]
            assert f"CANARY_TOKEN={new}" in environment
        manifest = deployed.root(BOX, "cat", "/opt/paisctl/manifest.json")
        assert new not in manifest
        assert plan(deployed) == []
    finally:
        secrets.write_text(kept)


def void(_: object) -> None:
    """Make a call that returns something into one that does not."""
