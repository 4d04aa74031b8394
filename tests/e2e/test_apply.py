"""An apply as a whole: complete, repeatable, cheap for the hosts, and honest in its exit status."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from tests.e2e.conftest import DEVICES
from tests.e2e.rehearsal import PAISCTL, Rehearsal, SshdCounts
from tests.e2e.scenario import Ids, apply, plan

CANARIES = ("m7-2", "nas", "box")


def write(folder: Path, text: str) -> Path:
    path = folder / "overlay.yaml"
    path.write_text(text, "utf-8")
    return path


def word(text: str) -> str:
    """An overlay that changes a file of every canary."""
    return f"stacks: {{canary: {{word: {text}}}}}"


def test_a_second_apply_changes_no_container_and_the_plan_is_empty(
    deployed: Rehearsal, applied_twice: list[Ids]
) -> None:
    first, second = applied_twice
    assert len(first) >= 20
    assert first == second
    assert plan(deployed) == []


def test_status_says_that_all_is_well(deployed: Rehearsal) -> None:
    shown = deployed.paisctl("status").stdout
    assert shown.splitlines()[-1].endswith(" 0 not as wanted")
    assert "missing" not in shown


def test_a_plan_costs_one_connection_and_one_execution_per_host(deployed: Rehearsal) -> None:
    before = {device: deployed.sshd(device) for device in DEVICES}
    assert plan(deployed) == []
    used = {device: deployed.sshd(device) - before[device] for device in DEVICES}
    assert used == dict.fromkeys(DEVICES, SshdCounts(connections=1, executions=1))


def test_an_apply_costs_two_executions_on_one_connection(
    deployed: Rehearsal, tmp_path: Path
) -> None:
    """Counted in the log of each host's sshd: one to read it, one to change it and read again."""
    before = {device: deployed.sshd(device) for device in DEVICES}
    apply(deployed, overlay=write(tmp_path, word("counted")))
    used = {device: deployed.sshd(device) - before[device] for device in DEVICES}
    expected = dict.fromkeys(DEVICES, SshdCounts(connections=1, executions=1))
    expected |= dict.fromkeys(CANARIES, SshdCounts(connections=1, executions=2))
    assert used == expected


def test_only_what_was_selected_is_applied(deployed: Rehearsal, tmp_path: Path) -> None:
    overlay = write(tmp_path, word("selected"))
    apply(deployed, "--on", "kind:synology", overlay=overlay)
    seen = {c["address"] for c in plan(deployed, overlay=overlay)}
    assert seen == {"m7-2/compose:canary", "box/compose:canary"}
    apply(deployed, "--stack", "node-exporter", overlay=overlay)
    assert {c["address"] for c in plan(deployed, overlay=overlay)} == seen


def test_exit_codes_tell_pending_from_drift(deployed: Rehearsal, tmp_path: Path) -> None:
    def status(overlay: Path | None = None) -> int:
        return deployed.paisctl("plan", "--detailed-exitcode", overlay=overlay).returncode

    assert status() == 0
    assert status(write(tmp_path, word("pending"))) == 2
    deployed.root("box", "docker", "stop", "canary-canary-1")
    assert status() == 3
    assert status(write(tmp_path, word("pending"))) == 2
    gone = write(tmp_path, "devices: {nas: {ssh: {port: 1}}}")
    assert status(gone) == 4
    assert deployed.paisctl("plan", overlay=gone).returncode == 1


def test_without_a_terminal_it_does_not_apply_unasked(deployed: Rehearsal, tmp_path: Path) -> None:
    before = deployed.container_ids()
    refused = deployed.paisctl("apply", overlay=write(tmp_path, word("unasked")))
    assert refused.returncode == 64
    assert "add --yes" in refused.stderr
    assert deployed.container_ids() == before


def test_an_interrupted_apply_leaves_what_the_next_plan_describes(
    deployed: Rehearsal, tmp_path: Path
) -> None:
    overlay = write(tmp_path, "stacks: {canary: {pace: '0.7'}, node-exporter: {memory: 65m}}")
    files = [part for path in (*deployed.inventories, overlay) for part in ("-i", str(path))]
    running = subprocess.Popen(
        [PAISCTL, *files, "apply", "--yes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    while "recreate" not in running.stderr.readline():
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=60)
    assert running.returncode == 130, output + errors
    assert "Traceback" not in errors

    time.sleep(1)
    left = {change["subject"] for change in plan(deployed, overlay=overlay)}
    assert left <= {"service canary", "service node-exporter", "record", "file compose.yaml"}
    apply(deployed, overlay=overlay)
    assert plan(deployed, overlay=overlay) == []
