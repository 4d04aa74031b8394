"""Asking all members at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from paisctl.cluster.member import Member
from paisctl.threads import start_thread

Result = TypeVar("Result")


def ask_all(members: Iterable[Member], ask: Callable[[Member], Result]) -> dict[str, Result]:
    """The answers of all members, by device, in their order; each in a thread of its own.

    Raises:
        Exception: whatever `ask` raised for the first of the members that failed.
    """
    futures = [(member.device, start_thread(ask, member)) for member in members]
    return {device: future.result() for device, future in futures}
