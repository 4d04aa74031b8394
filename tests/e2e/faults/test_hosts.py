"""Hosts that are reinstalled, rebooted, slow, or wrong about the time."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.faults.harness.canary import look, new_version
from tests.e2e.faults.harness.controller import Controller
from tests.e2e.faults.harness.host import Host
from tests.e2e.faults.harness.trial import check_order, check_recovery, fail
from tests.e2e.scenario import apply, plan

KEY = "/etc/paisctl-lab/ssh_host_ed25519_key"
TWO_HOURS = 7200


def test_a_host_with_another_key_is_not_talked_to(box: Host, tmp_path: Path) -> None:
    before, wanted = look(box), new_version(tmp_path)
    executions = box.lab.sshd("box").executions
    both = f"{KEY} {KEY}.pub"
    box.sh(f"mkdir /run/kept && mv {both} /run/kept; ssh-keygen -q -t ed25519 -N '' -f {KEY}")
    box.sh("kill -HUP $(cat /run/sshd.pid)")
    time.sleep(0.5)
    try:
        text = fail(box, wanted)
    finally:
        box.sh(f"mv /run/kept/* {KEY.rpartition('/')[0]} && rmdir /run/kept")
        box.sh("kill -HUP $(cat /run/sshd.pid)")
    assert "? box  " in text
    assert "HAS CHANGED" in text
    assert text.count("SHA256:") >= 2  # the key that is known, and the one that is there
    assert "ssh-keygen -R" in text
    box.wait_until_idle()
    assert box.lab.sshd("box").executions == executions
    assert check_recovery(box, before, wanted).id == before.id


@pytest.mark.parametrize("step", ["install settings/none.conf", "recreate canary"])
def test_a_power_cut_during_the_apply_is_repaired_by_the_next(
    box: Host, tmp_path: Path, step: str
) -> None:
    before, wanted = look(box), new_version(tmp_path)
    with Controller(box.lab, "apply", "--yes", "box", overlay=wanted.overlay) as controller:
        assert controller.wait_for(f"box/canary: {step}"), controller.said
        box.lose_power()
        assert controller.end() == 1
    assert "Traceback" not in controller.said
    assert "? box  the connection to paisctl@127.0.0.1" in controller.said
    box.power_on()
    left = look(box)
    assert left.volumes >= before.volumes
    assert left.data == before.data
    assert set(left.files.values()) <= {before.word, wanted.word}
    status = box.lab.paisctl("status", "box", overlay=wanted.overlay).stdout
    assert "broke off" in status
    changes = plan(box.lab, "box", overlay=wanted.overlay)
    assert {change["subject"] for change in changes} >= left.differences(wanted.word)
    apply(box.lab, "box", overlay=wanted.overlay)
    check_order(box, wanted)


@contextmanager
def wrong_clock(host: Host, seconds: int) -> Iterator[None]:
    """Let the host's `date` be off by so many seconds."""
    shim = f'#!/bin/sh\nexec busybox date -d "@$(($(busybox date +%s) + {seconds}))" "$@"\n'
    date = "/opt/appliance/bin/date" if host.device == "box" else "/usr/bin/date"
    host.sh(f"mv {date} {date}.kept && printf %s {shlex.quote(shim)} >{date} && chmod 755 {date}")
    try:
        yield
    finally:
        host.sh(f"mv {date}.kept {date}")


@pytest.mark.parametrize("seconds", [TWO_HOURS, -TWO_HOURS], ids=["fast", "slow"])
def test_a_clock_that_is_two_hours_off_changes_nothing(
    nas: Host, tmp_path: Path, seconds: int
) -> None:
    before, wanted = look(nas), new_version(tmp_path)
    with wrong_clock(nas, seconds):
        said = nas.lab.ssh("nas", "date +%s").stdout
        assert abs(int(said) - time.time() - seconds) < 60
        apply(nas.lab, "nas", overlay=wanted.overlay)
        check_order(nas, wanted)
        status = nas.lab.paisctl("status", "nas", overlay=wanted.overlay)
        assert "is being changed" not in status.stdout
    assert look(nas).data == before.data


def test_with_a_wrong_clock_a_host_goes_back_as_well(nas: Host, tmp_path: Path) -> None:
    before = look(nas)
    with wrong_clock(nas, TWO_HOURS):
        text = fail(nas, new_version(tmp_path, pace="0; exit 7; sleep 1"))
    assert "restarting again and again, with exit code 7" in text
    assert look(nas).word == before.word


@contextmanager
def slow(host: Host) -> Iterator[None]:
    """Every command over SSH takes three seconds longer, every call of docker one."""
    docker = host.sh("readlink -f /usr/local/bin/docker").strip()
    host.sh(f"printf '#!/bin/sh\\nsleep 1\\nexec {docker} \"$@\"\\n' >/run/docker-slow")
    host.sh("chmod 755 /run/docker-slow; ln -sf /run/docker-slow /usr/local/bin/docker")
    slowly = 'sleep 3; exec sh -c "$SSH_ORIGINAL_COMMAND"'
    host.sh(f"cp /etc/ssh/sshd_config /run/; echo {shlex.quote(slowly)} >/run/slowly")
    host.sh("echo 'ForceCommand sh /run/slowly' >>/etc/ssh/sshd_config")
    host.restart_sshd()
    try:
        yield
    finally:
        host.sh(f"ln -sf {docker} /usr/local/bin/docker")
        host.sh("cp /run/sshd_config /etc/ssh/sshd_config")
        host.restart_sshd()


def test_a_slow_host_does_not_keep_a_fast_one_waiting(box: Host, nas: Host, tmp_path: Path) -> None:
    """Apart from the locks, which all hosts have before any of them is changed."""
    wanted = new_version(tmp_path)
    with slow(nas), Controller(nas.lab, "apply", "--yes", overlay=wanted.overlay) as controller:
        assert controller.wait_for("box/canary: applied"), controller.said
        assert "nas/canary: applied" not in controller.said
        assert controller.end() == 0, controller.said
    check_order(box, wanted)
    check_order(nas, wanted)
