"""Clients that write and read without a pause, as the lab's do through HAProxy."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.standin_cluster import StandinCluster, StandinNode

WRITERS = 4
# Longer than a write may wait for an election.
TIMEOUT_SECONDS = 30


@dataclass
class Load:
    """What clients have got so far."""

    cluster: StandinCluster
    collection: str
    acknowledged: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    requests: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _drained: StandinNode | None = None
    _asked: list[StandinNode] = field(default_factory=list)

    def drain(self, node: StandinNode) -> None:
        """Send nothing more to `node`; returns when it has answered everything."""
        with self._changed:
            self._drained = node
            self._changed.wait_for(lambda: node not in self._asked)

    def undrain(self) -> None:
        self._drained = None

    def missing_from(self, node: StandinNode) -> set[int]:
        """Acknowledged points that a scroll through `node` does not find."""
        found: set[int] = set()
        offset: object = 0
        path = f"/collections/{self.collection}/points/scroll"
        while offset is not None:
            page = node.result("POST", path, {"limit": 5000, "offset": offset})
            found |= {point["id"] for point in page["points"]}
            offset = page["next_page_offset"]
        return set(self.acknowledged) - found

    def run(self, writer: int) -> None:
        """Write new points and read acknowledged ones, in turn."""
        chance, connections = random.Random(writer), Connections()  # noqa: S311
        path = f"/collections/{self.collection}/points"
        for point_id in itertools.count(writer * 1_000_000):
            if self._stopping.is_set():
                connections.close()
                return
            points = [{"id": point_id, "vector": [1, 2]}]
            if self._ask(connections, "PUT", f"{path}?wait=true", {"points": points}, chance):
                self.acknowledged.append(point_id)
            if self.acknowledged:
                wanted = chance.choice(self.acknowledged)
                found = self._ask(connections, "POST", path, {"ids": [wanted]}, chance)
                if found == []:
                    self.failures.append(f"point {wanted} was not found")

    def stop(self) -> None:
        self._stopping.set()

    def _ask(
        self,
        connections: Connections,
        method: str,
        path: str,
        body: object,
        chance: random.Random,
    ) -> Any:
        with self._changed:
            node = chance.choice([n for n in self.cluster.nodes if n is not self._drained])
            self._asked.append(node)
            self.requests += 1
        status, answer = connections.ask(node, method, path, body)
        with self._changed:
            self._asked.remove(node)
            self._changed.notify_all()
        if status != http.HTTPStatus.OK:
            self.failures.append(f"{method} through {node.name}: {status} {answer!r}")
            return None
        return json.loads(answer)["result"]


class Connections:
    """One client's connection to each node; one that the node has closed is opened again."""

    def __init__(self) -> None:
        self._open: dict[int, http.client.HTTPConnection] = {}

    def ask(
        self, node: StandinNode, method: str, path: str, body: object
    ) -> tuple[int, bytes | str]:
        for fresh in (False, True):
            connection = self._open.pop(node.http_port, None)
            if fresh or connection is None:
                address = "127.0.0.1", node.http_port
                connection = http.client.HTTPConnection(*address, timeout=TIMEOUT_SECONDS)
            try:
                connection.request(method, path, json.dumps(body))
                response = connection.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                failure = repr(error)
            else:
                self._open[node.http_port] = connection
                return response.status, content
        return 0, failure

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()


@contextmanager
def load_on(cluster: StandinCluster, collection: str) -> Iterator[Load]:
    """Clients on a collection, for as long as the context lasts."""
    load = Load(cluster, collection)
    writers = [threading.Thread(target=load.run, args=(i + 1,)) for i in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        yield load
    finally:
        load.stop()
        for writer in writers:
            writer.join()
