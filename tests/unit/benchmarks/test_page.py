"""The page from made-up results, the aims, and the file that outlives a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import about, page, stages
from benchmarks.aims import Verdict, verdicts
from benchmarks.cases import CASES, NOOP_APPLY, NOOP_PLAN, SLOW_HOST, Step
from benchmarks.fleet import Fleet
from benchmarks.peers import Race
from benchmarks.results import Part, Results

from paisctl.timings import Stage, Timings
from paisctl.views import timings as view

ABOUT = {"processors": "2", "paisctl": "abc1234"}


def part(*wall: float, others: float = 0.0) -> Part:
    return Part(
        wall=list(wall),
        cpu=[second / 2 for second in wall],
        traffic=[2048.0] * len(wall),
        executions=[1.0] * len(wall),
        others=[others] if others else [],
        memory=2**20,
    )


@pytest.fixture
def results(tmp_path: Path) -> Results:
    made = Results(tmp_path / "results.json")
    made.begin("2026-01-01 10:00:00", ABOUT)
    return made


def no_op_plans(results: Results, hosts: int, **seconds: float) -> None:
    names = {"script": "shell script", "ours": "paisctl"}
    parts = {names.get(name, name): part(*[wall] * 7) for name, wall in seconds.items()}
    results.put(hosts, NOOP_PLAN.name, parts)


def found(results: Results, aim: str) -> list[Verdict]:
    return [each for each in verdicts(results) if aim in each.aim]


def test_an_aim_is_reached_or_missed_at_each_size(results: Results) -> None:
    no_op_plans(results, 5, ours=1.0, pyinfra=1.9, Ansible=15.0, script=0.8)
    no_op_plans(results, 15, ours=1.0, pyinfra=2.0, Ansible=14.9, script=1.0)
    assert [each.is_reached for each in found(results, "pyinfra")] == [False, True]
    assert [each.is_reached for each in found(results, "Ansible")] == [True, False]
    assert [each.is_reached for each in found(results, "shell script")] == [False, True]
    [growth] = found(results, "among many")
    assert growth.is_reached
    assert growth.hosts == "5, 15"
    text = page.write(results)
    aim = "| No-op plan: pyinfra takes at least 2 times as long | 5"
    assert f"{aim} | 1.90 s to 1.00 s: 1.90 times | **missed** |" in text
    assert (
        "One slow host does not slow the others (at most 1.1 times) |  | not measured |  |" in text
    )


def test_a_host_that_costs_more_among_many_is_told(results: Results) -> None:
    no_op_plans(results, 5, ours=1.0)
    no_op_plans(results, 30, ours=7.0)
    [growth] = found(results, "among many")
    assert not growth.is_reached
    assert growth.found == "200 ms, then 233 ms: 1.17 times"


def test_a_slow_host_is_compared_with_quick_ones(results: Results) -> None:
    results.put(5, "changed-tag", {"paisctl": part(4.0, others=3.0)})
    results.put(5, SLOW_HOST.name, {"paisctl": part(9.0, others=3.6)})
    [verdict] = found(results, "slow host")
    assert (verdict.is_reached, verdict.found) == (False, "3.00 s, then 3.60 s: 1.20 times")
    assert "| 5 | paisctl | 3.00 | 3.60 | 1.20 | 9.00 |" in page.write(results)


def test_medians_and_too_few_runs_are_on_the_page(results: Results) -> None:
    results.put(5, NOOP_APPLY.name, {"paisctl": part(1.0, 9.0, 2.0), "pyinfra": part(4.0)})
    text = page.write(results)
    row = "| 5 | **paisctl** | 2.00 | 1.00, 9.00 | 1.00 | 1.00 | 1 | 2.0 | 1 |"
    assert row in text.splitlines()
    assert "5 hosts: only 1 run." in text


def test_what_another_run_measured_stays_and_is_told_apart(
    results: Results, tmp_path: Path
) -> None:
    no_op_plans(results, 5, ours=1.0, pyinfra=2.0)
    again = Results(tmp_path / "results.json")
    again.begin("2026-01-02 10:00:00", ABOUT | {"paisctl": "def5678"})
    no_op_plans(again, 5, ours=0.5)
    text = page.write(Results(tmp_path / "results.json"))
    assert "5 hosts: not all tools were measured in the same run." in text
    assert "| 2026-01-01 10:00:00 | abc1234 | no-op plan (5 hosts) |" in text
    assert "| 2026-01-02 10:00:00 | def5678 | no-op plan (5 hosts) |" in text


def test_a_run_that_goes_on_leaves_out_what_has_its_runs(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.peers.adopt_orphans", lambda: None)
    race = Race(Fleet(tmp_path), results, runs=3, names=["paisctl", "pyinfra"])
    step = Step(5, (NOOP_PLAN,))
    assert not race.has(step)
    results.put(5, NOOP_PLAN.name, {"paisctl": part(1, 1, 1), "pyinfra": part(2, 2)})
    assert not race.has(step)
    results.put(5, NOOP_PLAN.name, {"pyinfra": part(2, 2, 2)})
    assert race.has(step)
    assert not race.has(Step(5, (NOOP_PLAN, NOOP_APPLY)))


def test_stages_are_read_from_what_timings_print() -> None:
    timings = Timings(start_up=0.2, stages=[Stage("render", 0.25, 0.125)])
    timings.hosts["observe"] = {"host-01": 1.0, "host-02": 3.0, "host-03": 2.0}
    figures = stages.parse(view.as_text(timings))
    assert figures["render"] == [0.25, 0.125]
    assert figures["observe, at a host"] == [2.0, 3.0]
    assert "in all" in figures
    with pytest.raises(ValueError, match="no timings"):
        stages.parse("Nothing to do")


def test_an_empty_page_says_so(tmp_path: Path) -> None:
    text = page.write(Results(tmp_path / "results.json"))
    assert "Nothing was measured yet." in text
    assert all(f"### {case.title}" not in text for case in CASES)


def test_the_readme_has_the_figures_that_were_measured() -> None:
    parts = Results(about.RESULTS).get(15, NOOP_PLAN.name)
    readme = Path("README.md").read_text("utf-8")
    tools = ("ssh HOST true", "shell script", "paisctl", "pyinfra", "Ansible")
    figures = [f"{parts[tool].seconds:.2f} s" for tool in tools]
    figures[tools.index("paisctl")] = f"**{figures[tools.index('paisctl')]}**"
    assert f"| {' | '.join(figures)} |" in readme


def test_the_page_is_that_of_the_results_beside_it() -> None:
    assert about.PAGE.read_text("utf-8") == page.write(Results(about.RESULTS))
