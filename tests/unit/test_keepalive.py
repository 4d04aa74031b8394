"""A host that goes silent, with the waiting cut short."""

from __future__ import annotations

import threading

from paisctl.transports.keepalive import keep_alive


class Host:
    """A connection that answers some questions, and then no more."""

    def __init__(self, answers: int) -> None:
        self.answers = answers
        self.asked = 0
        self.closed = threading.Event()

    def is_active(self) -> bool:
        return not self.closed.is_set()

    def close(self) -> None:
        self.closed.set()

    def global_request(self, kind: str, data: object = None, wait: bool = True) -> object:
        assert (kind, data, wait) == ("keepalive@openssh.com", None, True)
        self.asked += 1
        if self.asked > self.answers:
            self.closed.wait(20)
        return None


def test_a_host_that_stops_answering_is_given_up() -> None:
    host = Host(answers=3)
    keep_alive(host, interval=0.001, patience=0.2)
    assert host.closed.wait(20)
    assert host.asked == 4


def test_a_host_that_answers_is_kept() -> None:
    host = Host(answers=1_000_000)
    keep_alive(host, interval=0.001, patience=5)
    assert not host.closed.wait(0.2)
    assert host.asked > 1
    host.close()
