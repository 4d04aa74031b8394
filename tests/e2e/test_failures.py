"""What goes wrong: who is affected, and what is said. What is broken on purpose is in `faults`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.rehearsal import Rehearsal


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


def test_what_depends_on_a_failure_is_skipped(deployed: Rehearsal, tmp_path: Path) -> None:
    before = deployed.container_ids()
    tag = "stacks: {qdrant: {images: {qdrant: {tag: no-such-tag}}}}\n"
    alone = "rollouts: {knowledge: {devices: [k6]}}\n"  # else an apply would refuse all three
    text = fail(deployed, write(tmp_path, tag + alone))
    assert "k6/compose:qdrant  failed" in text
    assert "m7-1/compose:qdrant  skipped" in text
    assert "m7-2/compose:qdrant  skipped" in text
    assert deployed.container_ids() == before


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
