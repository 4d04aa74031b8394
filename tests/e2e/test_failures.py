"""What goes wrong: who is affected, what is said, what state it leaves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.rehearsal import Rehearsal
from tests.e2e.scenario import apply, plan

CANARY = "canary-canary-1"


def write(folder: Path, text: str) -> Path:
    path = folder / "overlay.yaml"
    path.write_text(text, "utf-8")
    return path


def fail(fleet: Rehearsal, overlay: Path, *devices: str) -> str:
    """Apply; it must fail with 1. Returns what was printed on both outputs."""
    completed = fleet.paisctl("apply", "--yes", *devices, overlay=overlay)
    assert completed.returncode == 1, completed.stdout
    assert "Traceback" not in completed.stderr
    return completed.stdout + completed.stderr


def test_an_image_that_cannot_be_pulled_changes_nothing(
    deployed: Rehearsal, tmp_path: Path
) -> None:
    before = deployed.container_ids()
    tag = "{images: {main: {tag: no-such-tag}}}"
    overlay = write(tmp_path, f"devices: {{box: {{stacks: {{canary: {tag}}}}}}}")
    text = fail(deployed, overlay)
    assert "box/compose:canary  failed at: pull paisctl-lab/redis:no-such-tag" in text
    assert "paisctl apply box --stack canary" in text
    assert deployed.container_ids() == before
    assert "no-such-tag" not in deployed.root(
        "box", "cat", "/opt/paisctl/stacks/canary/compose.yaml"
    )


def test_a_failing_host_does_not_stop_the_others(deployed: Rehearsal, tmp_path: Path) -> None:
    overlay = write(
        tmp_path,
        "stacks: {canary: {word: on}}\n"
        "devices: {box: {stacks: {canary: {images: {main: {tag: no-such-tag}}}}}}",
    )
    text = fail(deployed, overlay)
    assert "nas/compose:canary  applied" in text
    assert "m7-2/compose:canary  applied" in text
    assert {change["address"] for change in plan(deployed, overlay=overlay)} == {
        "box/compose:canary"
    }


def test_what_depends_on_a_failure_is_skipped(deployed: Rehearsal, tmp_path: Path) -> None:
    before = deployed.container_ids()
    tag = "images: {qdrant: {tag: no-such-tag}}"
    text = fail(deployed, write(tmp_path, f"stacks: {{qdrant: {{{tag}}}}}"))
    assert "k6/compose:qdrant  failed" in text
    assert "m7-1/compose:qdrant  skipped" in text
    assert "m7-2/compose:qdrant  skipped" in text
    assert deployed.container_ids() == before


def test_a_file_that_its_check_refuses_is_not_installed(
    deployed: Rehearsal, tmp_path: Path
) -> None:
    """The canary's check wants letters; the live file stays, whole and in use."""
    before = deployed.containers("box")[CANARY]
    overlay = write(tmp_path, "devices: {box: {stacks: {canary: {word: '999'}}}}")
    text = fail(deployed, overlay)
    assert "box/compose:canary  failed at: check settings/reload.conf" in text
    kept = deployed.root("box", "cat", "/opt/paisctl/stacks/canary/settings/reload.conf")
    assert kept == "word = first\n"
    assert deployed.containers("box")[CANARY]["Id"] == before["Id"]


def test_a_container_that_exits_at_start_is_reported_with_its_log(
    deployed: Rehearsal, tmp_path: Path
) -> None:
    deployed.root("box", "docker", "exec", CANARY, "sh", "-c", "echo dying >&2; touch /data/crash")
    overlay = write(tmp_path, "devices: {box: {stacks: {canary: {memory: 40m}}}}")
    try:
        text = fail(deployed, overlay, "box")
        assert "box/compose:canary  failed at: wait for" in text
        assert "exited" in text or "restarting" in text
    finally:
        volume = "docker volume inspect --format '{{.Mountpoint}}' canary_data"
        deployed.root("box", "sh", "-c", f'rm "$({volume})/crash"')
    apply(deployed, "box", overlay=overlay)
    assert plan(deployed, "box", overlay=overlay) == []


CONNECTIONS = [
    ("port: 1", "cannot be reached: nothing accepts connections there", "is sshd running"),
    ("known_hosts: /dev/null", "the host key of paisctl@127.0.0.1", "ssh-keyscan -p"),
    ("host: no-such-host.invalid", "no-such-host.invalid", "ping no-such-host.invalid"),
]


@pytest.mark.parametrize(("setting", "problem", "hint"), CONNECTIONS)
def test_a_host_that_cannot_be_reached_says_why(
    deployed: Rehearsal, tmp_path: Path, setting: str, problem: str, hint: str
) -> None:
    overlay = write(tmp_path, f"devices: {{nas: {{ssh: {{{setting}}}}}}}")
    completed = deployed.paisctl("plan", overlay=overlay)
    assert completed.returncode == 1
    first, second, *_ = completed.stdout.splitlines()
    assert first.startswith("? nas  ")
    assert problem in first
    assert second.startswith("    hint: ")
    assert hint in second


def test_a_changed_host_key_is_refused_loudly(deployed: Rehearsal, tmp_path: Path) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    public = other.with_suffix(".pub").read_text().split()[:2]
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{deployed.lab.host('nas').port} {' '.join(public)}\n")
    overlay = write(tmp_path, f"devices: {{nas: {{ssh: {{known_hosts: {known}}}}}}}")
    shown = deployed.paisctl("plan", overlay=overlay).stdout
    assert "changed" in shown.lower()
    assert shown.count("SHA256:") == 2


def test_a_key_that_the_host_does_not_know_is_refused(
    deployed: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    overlay = write(tmp_path, f"devices: {{nas: {{ssh: {{identity_file: {other}}}}}}}")
    shown = deployed.paisctl("plan", overlay=overlay).stdout
    assert "? nas" in shown
    assert "hint: " in shown


def test_a_host_without_docker_says_so(deployed: Rehearsal, tmp_path: Path) -> None:
    overlay = write(tmp_path, "devices: {box: {docker: {command: /nowhere/docker}}}")
    shown = deployed.paisctl("plan", "box", overlay=overlay).stdout
    assert "? box" in shown
    assert "/nowhere/docker" in shown


def test_a_closed_socket_says_so(deployed: Rehearsal, tmp_path: Path) -> None:
    """On the NAS docker needs sudo: told not to use it, paisctl is refused by the socket."""
    overlay = write(tmp_path, "devices: {nas: {docker: {sudo: false}}}")
    shown = deployed.paisctl("plan", "nas", overlay=overlay).stdout
    assert "? nas" in shown
    assert "permission" in shown.lower()
