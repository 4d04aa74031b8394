"""One thread per host."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def start_thread(function: Callable[[Argument], Result], argument: Argument) -> Future[Result]:
    """Call a function in a thread of its own; the future holds its result or what it raised.

    Unlike those of a pool, the thread does not keep an interrupted program alive while it waits for
    a host that does not answer.
    """
    future: Future[Result] = Future()

    def call() -> None:
        try:
            future.set_result(function(argument))
        except BaseException as error:  # noqa: BLE001 # raised again where the result is asked for
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return future


def one_at_a_time(function: Callable[[Argument], None]) -> Callable[[Argument], None]:
    """A function that threads may call at the same time, made from one that they may not."""
    lock = threading.Lock()

    def call(argument: Argument) -> None:
        with lock:
            function(argument)

    return call
