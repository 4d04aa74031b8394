"""A client that writes and reads through the load balancer until it is told to stop: a program.

    load_client.py ADDRESS PORT API_KEY COLLECTION FOLDER

Nothing is tried twice, so that every failure counts. It ends when FOLDER/stop is there, and leaves
FOLDER/result.json: what was asked, what failed, which points were acknowledged.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

CLIENTS = 8
PACE = 0.03  # seconds from one request of a client to its next
TIMEOUT = 30.0  # seconds


class Client(threading.Thread):
    """One connection, kept: a write, then a read of what was written, again and again."""

    def __init__(self, number: int, arguments: list[str], stop: Path) -> None:
        super().__init__()
        address, port, self.key, collection = arguments
        self.path = f"/collections/{collection}/points"
        self.connection = http.client.HTTPConnection(address, int(port), timeout=TIMEOUT)
        self.next_id = (int(time.time()) * CLIENTS + number) * 100_000
        self.stop = stop
        self.requests = 0
        self.acknowledged: list[int] = []
        self.failed: list[str] = []

    def run(self) -> None:
        due = time.monotonic()
        while not self.stop.exists():
            point = self.next_id
            self.next_id += 1
            body: dict[str, Any] = {
                "points": [{"id": point, "vector": [1, 2, 3, 4], "payload": {"n": point}}]
            }
            if self._ask("PUT", f"{self.path}?wait=true", body) is not None:
                self.acknowledged.append(point)
                due = self._rest(due)
                found = self._ask("POST", self.path, {"ids": [point]})
                if found is not None and [each["id"] for each in found] != [point]:
                    self.failed.append(f"point {point} was acknowledged, and is not found")
            due = self._rest(due)

    def _rest(self, due: float) -> float:
        due = max(due + PACE, time.monotonic() - PACE)
        time.sleep(max(0.0, due - time.monotonic()))
        return due

    def _ask(self, method: str, path: str, body: object) -> Any:
        self.requests += 1
        headers = {"api-key": self.key, "Content-Type": "application/json"}
        began = time.monotonic()
        try:
            self.connection.request(method, path, json.dumps(body), headers)
            answer = self.connection.getresponse()
            text = answer.read()
            if answer.status == http.HTTPStatus.OK:
                return json.loads(text)["result"]
            said = f"{answer.status} {text.decode(errors='replace')[:200]}"
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            said = repr(error)
        self.failed.append(f"{method} after {time.monotonic() - began:.1f} s: {said}")
        return None


def main() -> None:
    *arguments, folder = sys.argv[1:]
    stop = Path(folder, "stop")
    clients = [Client(number, arguments, stop) for number in range(CLIENTS)]
    began = time.monotonic()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    result = {
        "seconds": time.monotonic() - began,
        "requests": sum(client.requests for client in clients),
        "acknowledged": [point for client in clients for point in client.acknowledged],
        "failed": [failure for client in clients for failure in client.failed],
    }
    Path(folder, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
