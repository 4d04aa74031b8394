"""The host's disk is full: in the push, in the apply, in the pull of an image."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.e2e.faults.harness.canary import check_survival, look, new_version
from tests.e2e.faults.harness.controller import Controller
from tests.e2e.faults.harness.host import Host
from tests.e2e.faults.harness.registry import Registry
from tests.e2e.faults.harness.trial import check_recovery, check_truth, fail
from tests.e2e.scenario import apply

IMAGES = "/var/lib/docker/tmp"  # where the engine puts what it downloads
PORT = 5000


def test_full_in_the_push_nothing_of_it_is_used(box: Host, tmp_path: Path) -> None:
    before, wanted = look(box), new_version(tmp_path, bulk=100_000)
    with box.small_disk(box.root, spare=300):
        text = fail(box, wanted)
        assert "perhaps for want of space" in text
        assert "box  " in text
        assert "next: " in text
        assert box.sh(f"ls -A {box.root}/staging 2>/dev/null; true") == ""
        assert look(box).files == before.files
        assert look(box).id == before.id
    check_recovery(box, before, wanted)


def test_full_in_the_apply_the_host_goes_back(box: Host, tmp_path: Path) -> None:
    """The last free byte is gone when the new container is made."""
    before, wanted = look(box), new_version(tmp_path)
    with box.small_disk(box.root, spare=1000):
        box.sh("docker rm -f canary-canary-1")  # it still sees the disk before
        first = new_version(tmp_path)
        apply(box.lab, "box", overlay=first.overlay)
        with Controller(box.lab, "apply", "--yes", "box", overlay=wanted.overlay) as controller:
            assert controller.wait_for("box/canary: recreate"), controller.said
            box.sh(f"cat /dev/zero >{box.root}/ballast 2>/dev/null; true")
            assert controller.end() == 1
        assert f"no space is left for {box.root}" in controller.said
        assert "rolled back to generation" in controller.said
        left = look(box)
        check_survival(before, left, [first.word])
        assert left.word == first.word
        box.sh(f"rm {box.root}/ballast")
        check_truth(box, left, wanted)
        apply(box.lab, "box", overlay=wanted.overlay)
        assert look(box).word == wanted.word
        box.sh("docker rm -f canary-canary-1")
    apply(box.lab, "box", overlay=wanted.overlay)
    assert look(box).data == before.data


def test_full_in_the_pull_of_an_image_nothing_is_changed(box: Host, tmp_path: Path) -> None:
    before = look(box)
    with Registry() as registry, box.small_disk(IMAGES, spare=1000):
        ssh = box.lab.lab.ssh_command(box.lab.lab.host("box"))
        forward = f"{PORT}:127.0.0.1:{registry.port}"
        options = ("-N", "-o", "ExitOnForwardFailure=yes", "-R", forward)
        with subprocess.Popen([ssh[0], *options, *ssh[1:]]) as tunnel:
            try:
                images = {"main": {"repository": f"127.0.0.1:{PORT}/large", "tag": "1"}}
                text = fail(box, new_version(tmp_path, images=images))
            finally:
                tunnel.terminate()
        assert registry.served
    assert f"box/compose:canary  failed at: pull 127.0.0.1:{PORT}/large:1" in text
    assert "no space left on device" in text
    assert "paisctl apply box --stack canary" in text
    left = check_recovery(box, before, new_version(tmp_path))
    assert (left.word, left.id) == (before.word, before.id)
