"""Waiting at gates, with a clock that only sleeping moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, repeat

import pytest

from paisctl.cluster.driver import Answer
from paisctl.errors import PaisctlError
from paisctl.rollout.events import Asked, RolloutEvent
from paisctl.rollout.gates import GateFailed, Limits, pass_gates

YES, NO = Answer(passed=True), Answer(passed=False, said="2 of 6 replicas are Dead")


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def answers(said: Iterable[Answer | Exception]) -> Callable[[], Answer]:
    iterator = iter(said)

    def ask() -> Answer:
        answer = next(iterator)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


def wait(
    ask: Callable[[], Answer], timeout: float, hold: float = 0.0
) -> tuple[float, list[RolloutEvent]]:
    time, told = Time(), list[RolloutEvent]()
    limits = {"gate": Limits(timeout, hold)}
    pass_gates("k6", {"gate": ask}, limits, told.append, clock=lambda: time.now, sleep=time.sleep)
    return time.now, told


def test_what_passes_at_once_takes_no_time() -> None:
    seconds, told = wait(answers([YES]), 60)
    assert seconds == 0
    assert [event.is_through for event in told if isinstance(event, Asked)] == [True]


def test_what_has_to_hold_is_asked_several_times() -> None:
    seconds, told = wait(answers(repeat(YES)), 60, hold=30)
    assert seconds >= 30
    assert len(told) >= 3


def test_even_a_short_hold_is_three_looks() -> None:
    _, told = wait(answers([YES, YES, YES, NO]), 60, hold=0.01)
    assert len(told) == 3


def test_what_lapses_has_to_hold_anew() -> None:
    lapsing = chain(repeat(YES, 5), [NO], repeat(YES))
    assert wait(answers(lapsing), 60, hold=30)[0] > 40


def test_one_that_never_passes_says_what_it_waited_for() -> None:
    with pytest.raises(GateFailed, match=r"within 60 s: 2 of 6 replicas are Dead") as failed:
        wait(answers(repeat(NO)), 60)
    assert failed.value.gate == "gate"


def test_one_that_flaps_fails_in_the_end() -> None:
    def flapping() -> Iterable[Answer]:
        while True:
            yield from (YES, NO)

    with pytest.raises(GateFailed):
        wait(answers(flapping()), 60, hold=30)


def test_a_gate_that_is_passed_late_still_gets_its_time_to_hold() -> None:
    late = chain(repeat(NO, 29), repeat(YES))
    assert wait(answers(late), 60, hold=30)[0] > 60


def test_a_failing_question_is_a_no() -> None:
    lost = PaisctlError("the connection to k6 was lost")
    seconds, told = wait(answers([lost, YES]), 60)
    assert seconds > 0
    assert [e.answer.said for e in told if isinstance(e, Asked)] == [lost.message, ""]
