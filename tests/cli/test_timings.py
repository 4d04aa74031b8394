"""`paisctl --timings`: where the time went, told at the end, beside what the command says."""

from __future__ import annotations

import pytest
from benchmarks import stages

from paisctl.cli.app import run
from paisctl.timings import TIMINGS
from tests.cli.test_hosts import VAULT, applied, box
from tests.simulated.fleet import SimulatedFleet

__all__ = ["VAULT", "box"]


def test_stages_add_up_and_stay_out_of_the_plan(
    box: SimulatedFleet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    applied(box)
    assert run(["plan"]) == 0
    plan = capsys.readouterr()
    monkeypatch.setattr(TIMINGS, "stages", [])
    monkeypatch.setattr(TIMINGS, "hosts", {})
    assert run(["--timings", "plan"]) == 0
    timed = capsys.readouterr()
    assert timed.out == plan.out
    figures = stages.parse(timed.err)
    whole, _ = figures.pop("in all")
    hosts = {name: each for name, each in figures.items() if name.endswith(", at a host")}
    assert hosts
    parts = [wall for name, (wall, _) in figures.items() if name not in hosts]
    assert sum(parts) == pytest.approx(whole, abs=0.001 * len(parts))  # they are rounded
