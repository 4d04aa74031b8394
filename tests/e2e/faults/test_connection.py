"""The connection goes: before the host has all it needs nothing happens, after it all happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.faults.harness.canary import Version, look, new_version
from tests.e2e.faults.harness.controller import Controller
from tests.e2e.faults.harness.host import Host
from tests.e2e.faults.harness.relay import Relay
from tests.e2e.faults.harness.trial import check_order, check_recovery, fail

BULK = 100_000  # bytes in each of five files


def through(version: Version, relay: Relay, host: Host) -> Version:
    """The version, with its host reached through a relay."""
    key = host.sh("cat /etc/paisctl-lab/ssh_host_ed25519_key.pub").split()
    ssh = {"port": relay.port, "host_key": " ".join(key[:2])}
    return version.over({host.device: {"ssh": ssh}})


def test_cut_while_it_is_read_a_host_is_named_and_left_alone(box: Host, tmp_path: Path) -> None:
    before, wanted = look(box), new_version(tmp_path)
    with Relay(box.lab.lab.host("box").port or 0, limit=8_000) as relay:
        text = fail(box, through(wanted, relay, box))
        assert relay.was_cut.is_set()
    assert "? box  " in text
    assert "hint: " in text
    assert check_recovery(box, before, wanted).id == before.id


def test_cut_during_the_push_nothing_of_it_is_used(box: Host, tmp_path: Path) -> None:
    before, wanted = look(box), new_version(tmp_path, bulk=BULK)
    with Relay(box.lab.lab.host("box").port or 0, limit=3 * BULK) as relay:
        text = fail(box, through(wanted, relay, box))
        assert relay.was_cut.is_set()
    assert "? box  the connection to paisctl@127.0.0.1" in text
    assert "was lost" in text
    assert "next: run `paisctl plan`" in text
    box.wait_until_idle()
    assert box.sh(f"ls -A {box.root}/staging 2>/dev/null; true") == ""
    left = check_recovery(box, before, wanted)
    assert (left.word, left.id) == (before.word, before.id)


CUTS: list[tuple[str, Callable[[Relay, Host], None]]] = [
    ("install compose.yaml", lambda relay, _: relay.cut()),
    ("recreate canary", lambda _, host: host.cut_sessions()),
]


@pytest.mark.parametrize(("step", "cut"), CUTS, ids=["in the network", "by sshd"])
def test_cut_during_the_apply_the_host_finishes_by_itself(
    box: Host, tmp_path: Path, step: str, cut: Callable[[Relay, Host], None]
) -> None:
    before, wanted = look(box), new_version(tmp_path)
    with Relay(box.lab.lab.host("box").port or 0) as relay:
        overlay = through(wanted, relay, box).overlay
        with Controller(box.lab, "apply", "--yes", "box", overlay=overlay) as controller:
            assert controller.wait_for(f"box/canary: {step}"), controller.said
            cut(relay, box)
            assert controller.end() == 1
    assert "Traceback" not in controller.said
    assert "? box  the connection to paisctl@127.0.0.1" in controller.said
    assert "goes on or goes back by itself" in controller.said
    assert "next: paisctl status box" in controller.said
    left = check_recovery(box, before, wanted)
    assert left.word == wanted.word


def test_a_restart_of_sshd_does_not_disturb_an_apply(box: Host, tmp_path: Path) -> None:
    before, wanted = look(box), new_version(tmp_path)
    with Controller(box.lab, "apply", "--yes", "box", overlay=wanted.overlay) as controller:
        assert controller.wait_for("box/canary: install compose.yaml"), controller.said
        box.restart_sshd()
        assert controller.end() == 0, controller.said
    check_order(box, wanted)
    check_recovery(box, before, wanted)
