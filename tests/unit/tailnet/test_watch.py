"""With time as it passes, which the tests of the switch do without."""

from __future__ import annotations

import threading
import time

from paisctl.tailnet.watch import WallClock, look, watch


def test_a_hanging_host_takes_no_longer_than_the_limit() -> None:
    release, begin = threading.Event(), time.monotonic()

    def reach(host: str) -> str:
        if host == "nas":
            release.wait(20)
        return ""

    k6, nas = look(["k6", "nas"], reach, WallClock(), 0.3)
    release.set()
    assert time.monotonic() - begin < 5
    assert (k6.host, k6.problem) == ("k6", "")
    assert (nas.host, nas.problem) == ("nas", "the connection hangs")
    assert nas.seconds >= 0.3


def test_watching_ends_as_soon_as_every_host_was_reached() -> None:
    clock, answers = WallClock(), iter(["not yet", ""])
    begin = clock.now()
    (k6,) = watch(["k6"], lambda _: next(answers), clock, begin, 30.0, lambda _: None)
    assert k6.problem == ""
    assert 1.0 <= k6.seconds < 5
    assert watch([], lambda _: "", clock, begin, 30.0, lambda _: None) == ()
