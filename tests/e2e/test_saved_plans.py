"""Plans that are saved, reviewed and applied later, on real hosts that may move in between."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.rehearsal import PAISCTL, Completed, Rehearsal
from tests.e2e.scenario import apply, plan

ROOTS = {"nas": "/volume1/docker/paisctl", "box": "/opt/paisctl"}
CANARIES = tuple(ROOTS)
FILE = "stacks/canary/settings/none.conf"


@pytest.fixture
def hosts(deployed: Rehearsal) -> Iterator[Rehearsal]:
    """The fleet as the inventory wants it; two hosts of it are changed here."""
    yield deployed
    for device in CANARIES:  # what the tests leave stopped or with other limits
        deployed.root(device, "docker", "update", "--memory", "32m", "canary-canary-1")


def overlay(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, "utf-8")
    return path


def saved(fleet: Rehearsal, folder: Path, word: str, *options: str) -> Path:
    """A saved plan that changes a word in every file of the canaries on two hosts."""
    path = folder / "plan.json"
    asked = overlay(folder, word, f"stacks: {{canary: {{word: {word}}}}}")
    done = fleet.paisctl("plan", "-o", str(path), *options, *CANARIES, overlay=asked)
    assert done.returncode == 0, done.stderr
    return path


def words(fleet: Rehearsal) -> set[str]:
    """What stands in the canaries' files on the two hosts."""
    texts = [fleet.root(device, "cat", f"{root}/{FILE}") for device, root in ROOTS.items()]
    return {line for text in texts for line in text.splitlines() if line.startswith("word")}


def generations(fleet: Rehearsal) -> list[int]:
    manifests = [fleet.root(d, "cat", f"{root}/manifest.json") for d, root in ROOTS.items()]
    return [json.loads(text)["generation"] for text in manifests]


def succeeds(done: Completed) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_saved_plan_is_what_is_applied(hosts: Rehearsal, tmp_path: Path) -> None:
    path = saved(hosts, tmp_path, "reviewed")
    again = tmp_path / "again.json"
    asked = tmp_path / "reviewed.yaml"
    succeeds(hosts.paisctl("plan", "-o", str(again), *CANARIES, overlay=asked))
    assert path.read_bytes() == again.read_bytes()
    assert "word = reviewed" not in words(hosts)

    shown = succeeds(hosts.paisctl("show", str(path)))
    later = overlay(tmp_path, "later", "stacks: {canary: {word: newer, memory: 48m}}")
    said = succeeds(hosts.paisctl("apply", str(path), overlay=later))

    assert shown[shown.index("~ ") :].rstrip() in said
    assert words(hosts) == {"word = reviewed"}
    assert plan(hosts, *CANARIES, overlay=asked) == []
    assert "applied and read back" in said


def test_its_digest_is_in_the_audit_log(hosts: Rehearsal, tmp_path: Path) -> None:
    path = saved(hosts, tmp_path, "audited")
    succeeds(hosts.paisctl("apply", str(path)))
    log = hosts.root("nas", "cat", f"{ROOTS['nas']}/audit.log")
    assert json.loads(path.read_text())["digest"] in log.splitlines()[-1]


def test_no_secret_is_in_it(hosts: Rehearsal, tmp_path: Path) -> None:
    asked = overlay(tmp_path, "token", "stacks: {canary: {environment: {MODE: new}}}")
    hosts.root("box", "rm", f"{ROOTS['box']}/stacks/canary/compose.override.yaml")
    path = tmp_path / "plan.json"
    succeeds(hosts.paisctl("plan", "-o", str(path), "--diff", *CANARIES, overlay=asked))
    values = yaml.safe_load((hosts.lab.directory / "secrets.yaml").read_text("utf-8"))
    text = path.read_text("utf-8")
    assert "canary_token" in values
    assert "canary_token" in text
    assert not [name for name, value in values.items() if value in text]
    succeeds(hosts.paisctl("apply", str(path)))
    assert plan(hosts, *CANARIES, overlay=asked) == []


def test_nothing_is_changed_when_one_host_has_moved(hosts: Rehearsal, tmp_path: Path) -> None:
    path = saved(hosts, tmp_path, "moved")
    hosts.root("box", "docker", "update", "--memory", "64m", "canary-canary-1")
    hosts.root("box", "sh", "-c", f"echo x >>{ROOTS['box']}/{FILE}")
    before, ids = generations(hosts), hosts.container_ids()

    refused = hosts.paisctl("apply", str(path))

    assert refused.returncode == 1
    assert "container canary-canary-1 has memory limit 64 MiB, had 32 MiB" in refused.stdout
    assert f"file {FILE} was edited" in refused.stdout
    assert f"next: paisctl apply {path} --replan-moved" in refused.stdout
    assert generations(hosts) == before
    assert hosts.container_ids() == ids
    assert "word = moved" not in words(hosts)

    asked = tmp_path / "moved.yaml"
    said = succeeds(hosts.paisctl("apply", str(path), "--replan-moved", "--yes", overlay=asked))
    assert "memory limit" in said
    assert words(hosts) == {"word = moved"}
    assert plan(hosts, *CANARIES, overlay=asked) == []


def test_an_apply_in_between_is_a_move(hosts: Rehearsal, tmp_path: Path) -> None:
    path = saved(hosts, tmp_path, "slow")
    [_, generation] = generations(hosts)
    apply(hosts, "box", overlay=overlay(tmp_path, "x", "stacks: {canary: {word: quick}}"))
    refused = hosts.paisctl("apply", str(path))
    assert refused.returncode == 1
    assert f"manifest is at generation {generation + 1}, was {generation}" in refused.stdout


def test_health_and_time_are_no_move(hosts: Rehearsal, tmp_path: Path) -> None:
    path = saved(hosts, tmp_path, "restarted")
    hosts.root("box", "docker", "restart", "-t", "1", "canary-canary-1")
    succeeds(hosts.paisctl("apply", str(path)))
    assert words(hosts) == {"word = restarted"}


def test_drift_can_be_left_alone_or_be_all(hosts: Rehearsal, tmp_path: Path) -> None:
    asked = overlay(tmp_path, "pending", "stacks: {canary: {word: pending}}")
    hosts.root("box", "docker", "update", "--memory", "64m", "canary-canary-1")
    hosts.root("nas", "docker", "pause", "node-exporter-node-exporter-1")

    only = ("--only-drift", "--yes", "box")
    said = succeeds(hosts.paisctl("apply", *only, overlay=asked))
    assert "left alone" in said
    assert "word = pending" not in words(hosts)
    assert plan(hosts, "box") == []

    ignoring = ("--ignore-drift", "--yes", *CANARIES)
    succeeds(hosts.paisctl("apply", *ignoring, overlay=asked))
    assert words(hosts) == {"word = pending"}
    left = plan(hosts, *CANARIES, overlay=asked)
    assert [(c["address"], c["field"]) for c in left] == [("nas/compose:node-exporter", "state")]


def test_sigterm_is_as_an_interrupt(hosts: Rehearsal, tmp_path: Path) -> None:
    asked = overlay(tmp_path, "slow", "stacks: {canary: {pace: '0.7'}}")
    files = [part for path in (*hosts.inventories, asked) for part in ("-i", str(path))]
    running = subprocess.Popen(
        [PAISCTL, *files, "apply", "--yes", *CANARIES],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    while "recreate" not in running.stderr.readline():
        assert running.poll() is None
    running.send_signal(signal.SIGTERM)
    output, errors = running.communicate(timeout=60)
    assert running.returncode == 130, output + errors
    assert "Traceback" not in errors
    apply(hosts, *CANARIES, overlay=asked)
    assert plan(hosts, *CANARIES, overlay=asked) == []
