"""Services that do not come up: the host goes back to what ran before, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.faults.harness.canary import look, new_version
from tests.e2e.faults.harness.host import Host
from tests.e2e.faults.harness.trial import check_order, check_recovery, check_truth, fail

# What stands in the canary's command behind `sleep`.
EXITS = "0; echo dying of the cold >&2; exit 7; sleep 1"
SICKENS = "0; echo feeling unwell >&2; touch /run/sick; sleep 1"
FLAPS = "1; echo cannot hold on >&2; exit 3; sleep 1"


@pytest.mark.parametrize(
    ("pace", "problem", "log"),
    [
        (EXITS, "canary: restarting again and again, with exit code 7", "dying of the cold"),
        (SICKENS, "canary: unhealthy", "feeling unwell"),
        (FLAPS, "canary: restarting again and again", "cannot hold on"),
    ],
    ids=["exits at start", "never healthy", "flaps"],
)
def test_a_service_that_does_not_get_well_sends_the_host_back(
    box: Host, tmp_path: Path, pace: str, problem: str, log: str
) -> None:
    before = look(box)
    broken = new_version(tmp_path, pace=pace)
    text = fail(box, broken)
    assert problem in text
    assert f"| {log}" in text
    assert "rolled back to generation" in text
    after = look(box)
    assert after.word == before.word
    assert after.container["State"]["Health"]["Status"] == "healthy"
    check_truth(box, after, broken)
    check_recovery(box, before, new_version(tmp_path))


def test_a_failed_service_is_left_for_inspection_when_asked_for(box: Host, tmp_path: Path) -> None:
    before = look(box)
    broken = new_version(tmp_path, pace=EXITS)
    text = fail(box, broken, "--no-rollback")
    assert "rolled back" not in text
    assert "paisctl apply box --stack canary" in text
    left = check_recovery(box, before, new_version(tmp_path), [broken.word])
    assert set(left.files.values()) == {broken.word}


def test_when_going_back_fails_too_that_is_said(box: Host, tmp_path: Path) -> None:
    """What is wrong is in the data here, and every version of the canary dies of it."""
    before = look(box)
    wanted = new_version(tmp_path)
    box.sh("docker exec canary-canary-1 touch /data/crash")
    try:
        text = fail(box, wanted)
    finally:
        box.sh("rm $(docker volume inspect --format '{{.Mountpoint}}' canary_data)/crash")
    assert "canary: restarting again and again, with exit code 7" in text
    assert "stranded: neither as planned nor as before" in text
    assert "next: paisctl plan box; then apply, or rollback" in text
    check_recovery(box, before, wanted)


def test_an_image_that_cannot_be_pulled_changes_nothing(box: Host, tmp_path: Path) -> None:
    before = look(box)
    text = fail(box, new_version(tmp_path, images={"main": {"tag": "no-such-tag"}}))
    assert "box/compose:canary  failed at: pull paisctl-lab/redis:no-such-tag" in text
    assert "paisctl apply box --stack canary" in text
    left = check_recovery(box, before, new_version(tmp_path))
    assert (left.word, left.id) == (before.word, before.id)


def test_a_config_that_its_check_refuses_changes_nothing(box: Host, tmp_path: Path) -> None:
    """The canary's check wants letters."""
    before = look(box)
    text = fail(box, new_version(tmp_path, "999"))
    assert "box/compose:canary  failed at: check settings/reload.conf" in text
    left = check_recovery(box, before, new_version(tmp_path))
    assert (left.word, left.id) == (before.word, before.id)


def test_a_failing_host_does_not_stop_the_other(box: Host, nas: Host, tmp_path: Path) -> None:
    before = look(box)
    wanted = new_version(tmp_path)
    broken = {"box": {"stacks": {"canary": {"images": {"main": {"tag": "no-such-tag"}}}}}}
    completed = box.lab.paisctl("apply", "--yes", overlay=wanted.over(broken).overlay)
    assert completed.returncode == 1
    assert "nas/compose:canary  applied" in completed.stdout
    check_order(nas, wanted)
    check_recovery(box, before, wanted)
