"""`make bench`: measure, and write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import UTC, datetime

from benchmarks import about, page, rendering, startup
from benchmarks.cases import CASES, steps
from benchmarks.fleet import Fleet
from benchmarks.peers import FOLDER, Race, WorkNotDone
from benchmarks.results import Results
from benchmarks.tools import all_tools
from paisctl.errors import PaisctlError

ALONE = {"startup": startup.measure, "rendering": rendering.measure}


def main() -> None:
    options = _options()
    results = Results(about.RESULTS)
    # So that the lab is taken down also when this is ended, and no host stays slow.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if not options.page:
            run = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
            results.begin(run, about.describe())
            _measure(results, options)
    except (WorkNotDone, PaisctlError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("stopped; go on with: python -m benchmarks --resume", file=sys.stderr)  # noqa: T201
        sys.exit(130)
    finally:
        about.PAGE.write_text(page.write(results), "utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    names = [*ALONE, *(case.name for case in CASES)]
    tools = [tool.name for tool in all_tools(Fleet(FOLDER))]
    parser.add_argument(
        "--hosts", type=int, action="append", metavar="N", help="again for more; default: 5 15 30"
    )
    parser.add_argument("--runs", type=int, default=7, help="timed runs of each tool; default: 7")
    parser.add_argument("--only", action="append", choices=names, help="only this; again for more")
    parser.add_argument("--tool", action="append", choices=tools, help="only this; again for more")
    parser.add_argument(
        "--resume", action="store_true", help="leave out what has its runs already, of any revision"
    )
    parser.add_argument("--keep", action="store_true", help="leave the lab up for the next part")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page anew")
    options = parser.parse_args()
    options.only = options.only or names
    return options


def _measure(results: Results, options: argparse.Namespace) -> None:
    for name, measure in ALONE.items():
        is_there = options.resume and results.alone(name)
        if name in options.only and not options.tool and not is_there:
            results.put_alone(name, measure())
    fleet = Fleet(FOLDER)
    race = Race(fleet, results, options.runs, options.tool or ())
    todo = [
        step
        for step in steps(options.hosts or (5, 15, 30), options.only)
        if not (options.resume and race.has(step))
    ]
    try:
        for step in todo:
            race.measure(step)
    finally:
        if todo and not options.keep:
            fleet.down()


if __name__ == "__main__":
    main()
