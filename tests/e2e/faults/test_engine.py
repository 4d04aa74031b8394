"""The Docker engine goes away in the middle of an apply, or is away from the beginning."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.faults.harness.canary import look, new_version
from tests.e2e.faults.harness.controller import Controller
from tests.e2e.faults.harness.host import Host
from tests.e2e.faults.harness.trial import check_recovery, fail


@pytest.mark.parametrize("step", ["recreate canary", "gate"])
def test_a_restart_of_the_engine_during_the_apply_is_survived(
    box: Host, tmp_path: Path, step: str
) -> None:
    before, wanted = look(box), new_version(tmp_path)
    with Controller(box.lab, "apply", "--yes", "box", overlay=wanted.overlay) as controller:
        assert controller.wait_for(f"box/canary: {step}"), controller.said
        box.restart_engine()
        status = controller.end()
    assert "Traceback" not in controller.said
    left = check_recovery(box, before, wanted)
    assert (status, left.word) in {(0, wanted.word), (1, before.word)}, controller.said


def test_without_its_engine_a_host_is_left_alone(box: Host, tmp_path: Path) -> None:
    before, wanted = look(box), new_version(tmp_path)
    box.stop_engine()
    try:
        text = fail(box, wanted)
    finally:
        box.start_engine()
    assert "? box  the Docker engine is not running" in text
    assert "hint: on the host: sudo systemctl start docker" in text
    check_recovery(box, before, wanted)
