"""`make bench`: measure, and write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import about, page, rendering, startup
from benchmarks.cases import CASES
from benchmarks.fleet import Fleet
from benchmarks.peers import FOLDER, Race, WorkNotDone
from benchmarks.results import Results
from benchmarks.tools import all_tools
from paisctl.errors import PaisctlError

PAGE = Path("docs/benchmarks.md")
RESULTS = Path("benchmarks/results.json")
ALONE = {"startup": startup.measure, "rendering": rendering.measure}


def main() -> None:
    options = _options()
    results = Results(RESULTS)
    try:
        if not options.page:
            results.describe(about.describe())
            _measure_alone(results, options)
            _measure_peers(results, options)
    except (WorkNotDone, PaisctlError) as error:
        sys.exit(f"error: {error}")
    finally:
        PAGE.write_text(page.write(results), "utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    cases = [*ALONE, *(case.name for case in CASES)]
    tools = [tool.name for tool in all_tools(Fleet(FOLDER))]
    parser.add_argument(
        "--hosts", type=int, action="append", metavar="N", help="again for more; default: 5 15 30"
    )
    parser.add_argument("--runs", type=int, default=7, help="timed runs of each tool; default: 7")
    parser.add_argument("--only", action="append", choices=cases, help="only this; again for more")
    parser.add_argument("--tool", action="append", choices=tools, help="only this; again for more")
    parser.add_argument(
        "--resume", action="store_true", help="leave out what has its runs already, of any revision"
    )
    parser.add_argument("--keep", action="store_true", help="leave the lab up for the next part")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page anew")
    return parser.parse_args()


def _measure_alone(results: Results, options: argparse.Namespace) -> None:
    for name, measure in ALONE.items():
        if name in (options.only or ALONE) and not options.tool:
            results.put_alone(name, measure())


def _measure_peers(results: Results, options: argparse.Namespace) -> None:
    cases = [case for case in CASES if case.name in (options.only or [each.name for each in CASES])]
    if not cases:
        return
    fleet = Fleet(FOLDER)
    race = Race(fleet, results, options.runs, options.tool or ())
    try:
        for hosts in sorted(options.hosts or (5, 15, 30)):
            todo = [case for case in cases if not (options.resume and race.has(hosts, case))]
            if todo:
                race.measure(hosts, todo)
    finally:
        if not options.keep:
            fleet.down()


if __name__ == "__main__":
    main()
