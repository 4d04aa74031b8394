"""In which order hosts will be changed, in one sentence, before anybody is asked."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from paisctl.execution.batches import Batch, Pace
from paisctl.views.console import duration, plural, visible, width


def as_text(batches: Sequence[Batch], pace: Pace) -> str:
    """What is done first, what then, and what ends it; empty if there is nothing to be said.

    Args:
        batches: what is to be done, divided.
        pace: what they were divided by.
    """
    devices = {device for batch in batches for device in batch.devices}
    if len(devices) < 2 or (len(batches) < 2 and pace.max_failures is None):
        return ""
    said = f"Order: {', then '.join(_parts(batches, pace))}"
    if pace.pause and len(batches) > 1:
        said += f", {duration(pace.pause)} apart"
    if pace.max_failures == 0:
        said += "; stops at the first failed host"
    elif pace.max_failures is not None:
        said += f"; stops after more than {plural(pace.max_failures, 'failed host')}"
    lines = textwrap.wrap(visible(f"{said}."), width(), break_on_hyphens=False)
    return "".join(f"{line}\n" for line in lines)


def _parts(batches: Sequence[Batch], pace: Pace) -> Iterator[str]:
    canary = batches[0] if batches[0].is_canary else None
    if canary:
        is_one = len(canary.devices) == 1
        noun, needs = ("canary", "it needs") if is_one else ("canaries", "they need")
        brought = f", with what {needs} on {listed(canary.brought)}" if canary.brought else ""
        yield f"{listed(canary.devices)} first ({noun}{brought})"
    rest = batches[1:] if canary else batches
    hosts = dict.fromkeys(device for batch in rest for device in batch.devices)
    if len(rest) > 1:
        size = pace.max_parallel
        how = "one at a time" if size == 1 else f"in batches of {size}"
        yield f"{plural(len(hosts), 'host')} {how}"
    elif len(hosts) > 1:
        yield f"{plural(len(hosts), 'host')} together"
    elif hosts:
        yield next(iter(hosts))


def listed(names: Sequence[str]) -> str:
    """`k6`, `k6 and m7-1`, `k6, m7-1 and nas`."""
    return " and ".join([part for part in (", ".join(names[:-1]), names[-1]) if part])
