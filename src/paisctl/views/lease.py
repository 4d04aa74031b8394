"""A lock as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from paisctl.lease import Lease
from paisctl.views.console import render


def describe(device: str, lease: Lease) -> str:
    """Who holds the lock on a host, and whether they are still there."""
    return render(_lines(device, lease))


def _lines(device: str, lease: Lease) -> Iterator[Text]:
    yield Text.assemble((device, "bold"), f" is locked by {lease}")
    if lease.run:
        yield Text(f"    run {lease.run}")
        heartbeat = lease.heartbeat.replace("T", " ").removesuffix("Z")
        yield Text(f"    last sign of life: {heartbeat} UTC, by the clock of {device}")
    yield Text(f"    {_liveliness(lease)}")


def _liveliness(lease: Lease) -> str:
    if lease.is_held and lease.is_judged:
        return "Its process lives. Without the lock it stops before its next step."
    if lease.is_held:
        return "Whether its process lives cannot be told; its signs of life are recent."
    return "Nobody is there any more: the next apply takes no notice of this lock."
