"""What it was measured on, and with which releases."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from benchmarks.tools import PROGRAMS

PAGE = Path("docs/benchmarks.md")
RESULTS = Path("benchmarks/results.json")
WRITTEN = (PAGE, RESULTS)


def describe() -> dict[str, str]:
    """The machine and the tools, by what the page calls them."""
    return {
        "processors": f"{os.cpu_count()} x {_processor()}",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "Python": platform.python_version(),
        "Docker": _output("docker", "version", "--format", "{{.Server.Version}}"),
        "paisctl": _revision(),
        **dict(map(_release, ("pyinfra", "ansible", "ansible-core"))),
    }


def _revision() -> str:
    """The commit; what a measurement itself writes does not make it another one."""
    changed = _output("git", "status", "--porcelain", "-uno", "--", ":/", *map(_except, WRITTEN))
    return _output("git", "rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")


def _except(path: Path) -> str:
    return f":(top,exclude){path}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _release(package: str) -> tuple[str, str]:
    ask = f"from importlib.metadata import version; print(version({package!r}))"
    return package, _output(str(PROGRAMS / "python"), "-c", ask)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
