"""Faults to be scripted: what a network, a proxy or a busy service does to an answer.

server.faults.next("POST", "/acl", rate_limited(retry_after=1), times=2)
server.faults.next("POST", "/acl", silence(5, carried_out=True))
server.faults.next("POST", "/acl", meanwhile(lambda: server.edit_by_hand(OTHER)))
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock

BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request, in the order of the fields.

    `carried_out`: the request is handled all the same, and only its answer is lost or replaced.
    Neither an answer, a silence nor a reset: it is handled and answered as ever, after `delay`.
    """

    meanwhile: Callable[[], None] | None = None
    delay: float = 0.0  # seconds
    carried_out: bool = False
    answer: Answer | None = None
    silence: float = 0.0  # seconds without an answer, then the connection is closed
    reset: bool = False

    @property
    def loses_answer(self) -> bool:
        return self.answer is not None or self.silence > 0 or self.reset


def status(code: int, message: str = "", *, carried_out: bool = False) -> Fault:
    """An error in the API's own form."""
    body = json.dumps({"message": message or "internal server error"})
    return Fault(carried_out=carried_out, answer=Answer(code, body))


def rate_limited(retry_after: int | str = 1) -> Fault:
    """429; `retry_after` in seconds, or an HTTP date."""
    body = json.dumps({"message": "rate limited"})
    return Fault(answer=Answer(429, body, {"Retry-After": str(retry_after)}))


def bad_gateway(*, carried_out: bool = False) -> Fault:
    """502 from a proxy, with a page for people."""
    return Fault(carried_out=carried_out, answer=Answer(502, BAD_GATEWAY, {}, "text/html"))


def silence(seconds: float, *, carried_out: bool = False) -> Fault:
    """No answer for that long; with `carried_out` the change was made all the same."""
    return Fault(silence=seconds, carried_out=carried_out)


def reset(*, carried_out: bool = False) -> Fault:
    """The connection is reset."""
    return Fault(reset=True, carried_out=carried_out)


def slow(seconds: float) -> Fault:
    """An answer that takes its time."""
    return Fault(delay=seconds)


def meanwhile(action: Callable[[], None]) -> Fault:
    """Something happens between the requests before and this one: the race behind a 412."""
    return Fault(meanwhile=action)


@dataclass(slots=True)
class _Waiting:
    method: str
    ending: str
    fault: Fault
    times: int


class Faults:
    """The faults to come, each for the next requests that it is meant for."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._lock = Lock()

    def next(self, method: str, ending: str, fault: Fault, *, times: int = 1) -> None:
        """Let a fault befall the next `times` requests of a method whose path ends like this."""
        with self._lock:
            self._waiting.append(_Waiting(method, ending, fault, times))

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for a request that has just come in; it is used up by that."""
        with self._lock:
            for each in self._waiting:
                if each.times and each.method == method and path.endswith(each.ending):
                    each.times -= 1
                    return each.fault
        return None

    @property
    def left(self) -> int:
        """How many faults did not happen: a test that scripted them wants 0."""
        with self._lock:
            return sum(each.times for each in self._waiting)
