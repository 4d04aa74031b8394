"""The knowledge cluster of the lab, past paisctl: its nodes' API, their containers, clients."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from paisctl import pipeline
from tests.e2e.rehearsal import Rehearsal, run

NODES = ("k6", "m7-1", "m7-2")
FRONT = "mac-mini"
COLLECTION = "notes"
QDRANT = "qdrant-qdrant-1"
FAULTS = "/var/lib/docker/volumes/qdrant_storage/_data/standin-faults.json"
CLIENT = Path(__file__).with_name("load_client.py")


@dataclass(frozen=True)
class Load:
    """What clients got: numbers of requests, ids of acknowledged points, and every failure."""

    seconds: float
    requests: int
    acknowledged: list[int]
    failed: list[str]


@dataclass
class Knowledge:
    """Three nodes and a load balancer. `patch` is that of the version that the nodes have now."""

    lab: Rehearsal
    patch: int = 3

    # ---- versions -------------------------------------------------------------------------------

    @property
    def version(self) -> str:
        return f"v1.18.{self.patch}"

    def next_version(self, folder: Path) -> Path:
        """An overlay with the next patch of the version, whose image all hosts have."""
        self.patch += 1
        return self.overlay(folder, self.version)

    def overlay(self, folder: Path, tag: str, *, has_image: bool = True) -> Path:
        """An overlay that asks for a version."""
        path = folder / f"{tag}.yaml"
        path.write_text(
            yaml.safe_dump({"stacks": {"qdrant": {"images": {"qdrant": {"tag": tag}}}}})
        )
        if has_image:
            fleet = [each for each in self.lab.inventories if each != self.lab.lab.overlay]
            self.lab.lab.up(pipeline.desire([*fleet, path]), self.lab.devices)
        return path

    # ---- the nodes, asked by HTTP -----------------------------------------------------------------

    @property
    def key(self) -> str:
        secrets = yaml.safe_load((self.lab.lab.directory / "secrets.yaml").read_text())
        return str(secrets["qdrant_api_key"])

    def ask(self, device: str, method: str, path: str, body: object = None) -> Any:
        """The `result` of a node's answer, or of the load balancer's."""
        url = f"http://{self.lab.lab.host(device).address}:6333{path}"
        headers = {"api-key": self.key}
        answer = httpx.request(method, url, json=body, headers=headers, timeout=30, trust_env=False)
        answer.raise_for_status()
        told = answer.json()
        return told.get("result", told)

    def create(self, name: str = COLLECTION, **settings: int) -> None:
        """A collection with three shards, each on two nodes."""
        vectors = {"size": 4, "distance": "Cosine"}
        wanted = {"vectors": vectors, "shard_number": 3, "replication_factor": 2} | settings
        self.ask("k6", "PUT", f"/collections/{name}", wanted)

    def drop_all(self) -> None:
        """All collections, and what snapshots were taken of them."""
        for each in self.ask("k6", "GET", "/collections")["collections"]:
            path = f"/collections/{each['name']}"
            for node in NODES:
                for snapshot in self.ask(node, "GET", f"{path}/snapshots"):
                    self.ask(node, "DELETE", f"{path}/snapshots/{snapshot['name']}")
            self.ask("k6", "DELETE", path)

    def points(self, device: str, name: str = COLLECTION) -> set[int]:
        """All points that a node shows, its own and those of the others."""
        found: set[int] = set()
        offset = None
        while True:
            body = {"limit": 5000, "offset": offset, "with_payload": False}
            page = self.ask(device, "POST", f"/collections/{name}/points/scroll", body)
            found |= {point["id"] for point in page["points"]}
            offset = page["next_page_offset"]
            if offset is None:
                return found

    def put(self, count: int, name: str = COLLECTION) -> set[int]:
        """Points that are there before anything happens."""
        ids = set(range(count))
        points = [{"id": each, "vector": [1, 2, 3, 4]} for each in ids]
        self.ask("k6", "PUT", f"/collections/{name}/points?wait=true", {"points": points})
        return ids

    def versions(self) -> dict[str, str]:
        return {node: f"v{self.ask(node, 'GET', '/')['version']}" for node in NODES}

    def write_factor(self, name: str = COLLECTION) -> int:
        told = self.ask("m7-1", "GET", f"/collections/{name}")
        return int(told["config"]["params"]["write_consistency_factor"])

    def replica_states(self, name: str = COLLECTION) -> set[str]:
        told = self.ask("k6", "GET", f"/collections/{name}/cluster")
        return {replica["state"] for replica in told["local_shards"] + told["remote_shards"]}

    def is_whole(self) -> bool:
        """Whether all nodes know each other and all replicas of all collections are active."""
        try:
            peers = {len(self.ask(node, "GET", "/cluster")["peers"]) for node in NODES}
            names = [each["name"] for each in self.ask("k6", "GET", "/collections")["collections"]]
            return peers == {3} and all(self.replica_states(name) <= {"Active"} for name in names)
        except httpx.HTTPError:
            return False

    # ---- containers -----------------------------------------------------------------------------

    def starts(self) -> dict[str, str]:
        """When each node's container was started, as Docker has it."""
        return {n: self.lab.containers(n)[QDRANT]["State"]["StartedAt"] for n in NODES}

    def fault(self, node: str, **switches: Any) -> None:
        """Switch faults on in a node, whether it runs or not."""
        text = json.dumps(switches).replace("'", "'\\''")
        self.lab.root(
            node, "sh", "-c", f"printf %s '{text}' >{FAULTS}.new && mv {FAULTS}.new {FAULTS}"
        )

    def mend(self) -> None:
        """Switch all faults off, and let everything run."""
        for node in NODES:
            self.lab.root(node, "sh", "-c", f"rm -f {FAULTS}; docker start {QDRANT} >/dev/null")

    def forget_rollouts(self) -> None:
        """As if none had ever been."""
        for node in NODES:
            self.lab.root(node, "rm", "-rf", "/opt/paisctl/rollouts")

    def drained(self) -> set[str]:
        """The nodes that the load balancer gives nothing, by its runtime API."""
        look = "exec 3<>/dev/tcp/127.0.0.1/9999; echo 'show stat' >&3; cat <&3"
        told = self.lab.root(FRONT, "docker", "exec", "haproxy-haproxy-1", "bash", "-c", look)
        rows = [line.split(",") for line in told.splitlines() if line.startswith("qdrant,")]
        return {row[1] for row in rows if row[17].startswith("DRAIN") or "DRAIN" in row[17]}

    # ---- clients --------------------------------------------------------------------------------

    @contextmanager
    def clients(self, folder: Path) -> Iterator[Callable[[], Load]]:
        """Clients at work; calling what this gives ends them and says what they got."""
        address = self.lab.lab.host(FRONT).address
        command = [sys.executable, str(CLIENT), address, "6333", self.key, COLLECTION, str(folder)]
        process = subprocess.Popen(command)

        def end() -> Load:
            (folder / "stop").touch()
            assert process.wait(timeout=60) == 0
            return Load(**json.loads((folder / "result.json").read_text()))

        try:
            yield end
        finally:
            process.kill()
            process.wait()


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.3)


def logs(lab: Rehearsal, node: str) -> str:
    """The last words of a node, for a failing test."""
    return run(
        "docker", "exec", lab.lab.host(node).container, "docker", "logs", "--tail", "30", QDRANT
    ).stderr
