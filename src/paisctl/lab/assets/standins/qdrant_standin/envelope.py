"""How Qdrant wraps its answers: `result`, `status` and `time`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from http import HTTPStatus

from standin_http import Request, Response, json_response

from qdrant_standin.faults import Faults
from qdrant_standin.metadata import RefusedError

log = logging.getLogger("stand-in.api")

Answer = Callable[[Request], object]


def enveloped(answer: Answer, faults: Faults) -> Callable[[Request], Response]:
    """A handler that replies with what `answer` gives, or with why it was refused."""

    def handle(request: Request) -> Response:
        started = time.perf_counter()
        try:
            _refuse_if_faulty(request, faults)
            result = answer(request)
        except RefusedError as refused:
            return _reply({"status": {"error": refused.description}}, started, refused.status)
        if request.method == "GET":
            result = faults.altered(request.path, result)
        return _reply({"result": result, "status": "ok"}, started, HTTPStatus.OK)

    return handle


def waiting_if_asked(answer: Answer, faults: Faults) -> Callable[[Request], Response]:
    """As `enveloped`, but with `?wait=false` the reply is 202 and the work goes on."""
    now = enveloped(answer, faults)

    def handle(request: Request) -> Response:
        if request.query.get("wait", "true") == "true":
            return now(request)
        started = time.perf_counter()
        threading.Thread(target=_log_failure, args=(answer, request), daemon=True).start()
        return _reply({"status": "accepted"}, started, HTTPStatus.ACCEPTED)

    return handle


def _refuse_if_faulty(request: Request, faults: Faults) -> None:
    if words := faults.refusal(request.path):
        raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, words)


def _reply(content: dict[str, object], started: float, status: int) -> Response:
    return json_response({**content, "time": time.perf_counter() - started}, status)


def _log_failure(answer: Answer, request: Request) -> None:
    try:
        answer(request)
    except RefusedError as refused:
        log.warning("%s %s failed: %s", request.method, request.path, refused)
