"""`make bench`: measure, print, and write docs/benchmarks.md."""

from __future__ import annotations

import platform
from pathlib import Path

from benchmarks import rendering, startup

PAGE = Path("docs/benchmarks.md")


def main() -> None:
    parts = [
        "# Measured speed\n",
        "Written by `make bench`. Every figure is the median of 7 runs, interleaved with the runs of",
        f"its floor, on {platform.machine()} with Python {platform.python_version()}.\n",
        *startup.measure(),
        *rendering.measure(),
    ]
    text = "\n".join(parts) + "\n"
    PAGE.write_text(text, encoding="utf-8")
    print(text)  # noqa: T201


if __name__ == "__main__":
    main()
