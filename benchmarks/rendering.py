"""Loading, checking and rendering inventories of growing size, after imports.

The floor parses the same inventory with PyYAML's C loader and does nothing else.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import yaml

from benchmarks.timing import interleaved
from paisctl.pipeline import desire

REFERENCE = Path("inventory/pais.yaml")
SIZES = (15, 125, 250, 500)

_DEVICE = """
  host-{n}:
    model: Mini PC
    kind: linux
    layer: edge
    role: generated for a measurement
    arch: amd64
    memory: 64GiB
    storage: 1 TB
    address: 100.64.{high}.{low}
    stacks:
      redis-cache: {{memory: 8g}}
      node-exporter: {{}}
"""


def generated(devices: int) -> str:
    """An inventory of equal devices, each with two stacks."""
    head = (
        "version: 1\nname: generated\ntailnet: {dns_name: tail1234.ts.net}\n"
        "secrets: {redis_password: {description: generated}}\n"
        "stacks: {redis-cache: {password: {secret: redis_password}}}\ndevices:"
    )
    entries = (_DEVICE.format(n=n, high=n // 200, low=n % 200 + 1) for n in range(devices))
    return head + "".join(entries)


def _floor(path: Path) -> object:
    return yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)


def measure() -> dict[str, list[float]]:
    """By inventory: its devices, seconds, and seconds of the floor."""
    with tempfile.TemporaryDirectory() as folder:
        inventories = {"reference fleet": (REFERENCE, len(desire([REFERENCE]).fleet.devices))}
        for size in SIZES:
            path = Path(folder, f"{size}.yaml")
            path.write_text(generated(size), "utf-8")
            inventories[f"generated {size}"] = (path, size)
        return {name: [size, *_times(path)] for name, (path, size) in inventories.items()}


def _times(path: Path) -> tuple[float, float]:
    times = interleaved({"floor": partial(_floor, path), "all": partial(desire, [path])})
    return times["all"], times["floor"]


def section(figures: Mapping[str, list[float]]) -> Iterator[str]:
    """The lines of this part of the page."""
    yield "## Load, check and render\n"
    yield "Everything `paisctl lint` does, after imports; the floor only parses the YAML.\n"
    yield "| inventory | devices | seconds | per device, ms | against the floor |"
    yield "|---|---:|---:|---:|---:|"
    for name, [size, seconds, floor] in figures.items():
        each = seconds / size * 1000
        yield f"| {name} | {size:g} | {seconds:.3f} | {each:.1f} | {seconds / floor:.0f} |"
    yield ""
