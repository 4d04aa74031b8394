"""A Qdrant cluster of stand-ins for tests: real processes on loopback, each with its own volumes.

with standin_cluster(tmp_path, version="1.18.3") as cluster:
    cluster.create_collection("documents")
    cluster.leader().restart(version="1.19.0")
    cluster.settle()
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.unit.standins.processes import QdrantNode, eventually

NAMES = ("k6", "m7-1", "m7-2", "m7-3", "m7-4")
COLLECTION = {
    "vectors": {"size": 2, "distance": "Dot"},
    "shard_number": 3,
    "replication_factor": 2,
    "write_consistency_factor": 1,
}


@dataclass
class StandinNode(QdrantNode):
    """One member; `version` and `api_key` hold from its next start on."""

    name: str = ""
    version: str = "1.19.0"

    @property
    def url(self) -> str:
        """Where its REST API answers."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def snapshots(self) -> Path:
        """Its snapshots volume."""
        return self.directory / "snapshots"

    @property
    def peer_id(self) -> int:
        """Its id in the cluster, read from its storage: it need not run."""
        state = json.loads((self.storage / "raft_state.json").read_text())
        return int(state["this_peer_id"])

    @property
    def is_running(self) -> bool:
        process = self.program.process
        return process is not None and process.poll() is None

    def start(self, **settings: str) -> None:
        """Start with the settings of this node and `settings` over them; does not wait."""
        claimed = {"PAISCTL_STANDIN_VERSION": self.version}
        key = {"QDRANT__SERVICE__API_KEY": self.api_key} if self.api_key else {}
        super().start(**claimed, **key, **settings)

    def stop(self) -> int:
        """Stop it as `docker stop` does; the exit status."""
        return self.program.stop()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.program.stop(signal.SIGKILL)

    def restart(self, version: str | None = None) -> None:
        """Stop it if it runs, start it, with another version if given, and wait for `/readyz`."""
        if self.is_running:
            self.stop()
        self.version = version or self.version
        self.start_and_wait()

    def set_faults(self, **switches: object) -> None:
        """Replace its fault switches (see `qdrant_standin/faults.py`); none clears them all."""
        self.storage.mkdir(parents=True, exist_ok=True)
        file = self.storage / "standin-faults.json"
        temporary = file.with_suffix(".tmp")
        temporary.write_text(json.dumps(switches))
        temporary.replace(file)


@dataclass
class StandinCluster:
    """The members in the order in which they joined."""

    nodes: list[StandinNode] = field(default_factory=list)

    def __getitem__(self, name: str) -> StandinNode:
        return next(node for node in self.nodes if node.name == name)

    @property
    def running(self) -> list[StandinNode]:
        return [node for node in self.nodes if node.is_running]

    def leader(self) -> StandinNode:
        """The member that leads; waits until one does."""
        return eventually(self._leaders)[-1]

    def followers(self) -> list[StandinNode]:
        leader = self.leader()
        return [node for node in self.running if node is not leader]

    def create_collection(self, name: str, **parameters: object) -> None:
        """A collection of three shards, two replicas each, unless `parameters` say otherwise."""
        self.running[0].result("PUT", f"/collections/{name}", COLLECTION | parameters)

    def upsert(self, name: str, ids: range) -> None:
        """Store points whose payload is `{"n": id}`, through the first member that runs."""
        points = [{"id": i, "vector": [1.0, float(i)], "payload": {"n": i}} for i in ids]
        path = f"/collections/{name}/points?wait=true"
        self.running[0].result("PUT", path, {"points": points})

    def settle(self) -> None:
        """Wait until the running members agree, all replicas are Active and nothing is moving."""
        eventually(self.is_settled)

    def is_settled(self) -> bool:
        views = [node.cluster() for node in self.running]
        facts = {json.dumps([v["peers"], *_agreed(v["raft_info"])], sort_keys=True) for v in views}
        return (
            len(facts) == 1
            and views[0]["raft_info"]["leader"] in {view["peer_id"] for view in views}
            and all(view["raft_info"]["is_voter"] for view in views)
            # A follower keeps failures of its candidacy until it happens to send to that peer again.
            and not any(v["message_send_failures"] for v in views if _leads(v))
            and all(_is_whole(node) for node in self.running)
        )

    def _leaders(self) -> list[StandinNode]:
        """Who says that it leads, the one of the latest term last."""
        views = [(node, node.cluster()) for node in self.running]
        leading = [(node, view) for node, view in views if _leads(view)]
        return [n for n, _ in sorted(leading, key=lambda each: each[1]["raft_info"]["term"])]


def _leads(view: dict[str, Any]) -> bool:
    return bool(view["raft_info"]["role"] == "Leader")


def _agreed(raft: dict[str, Any]) -> list[object]:
    return [raft["leader"], raft["term"], raft["commit"]]


def _is_whole(node: StandinNode) -> bool:
    for collection in node.result("GET", "/collections")["collections"]:
        view = node.result("GET", f"/collections/{collection['name']}/cluster")
        replicas = view["local_shards"] + view["remote_shards"]
        if view["shard_transfers"] or any(r["state"] != "Active" for r in replicas):
            return False
    return True


@contextmanager
def standin_cluster(
    directory: Path,
    *,
    size: int = 3,
    version: str = "1.19.0",
    api_key: str | None = None,
    **settings: str,
) -> Iterator[StandinCluster]:
    """A settled cluster of `size` members below `directory`; its processes end with the context.

    `settings` are environment variables of every member.
    """
    cluster = StandinCluster()
    try:
        for name in NAMES[:size]:
            node = StandinNode(directory / name, dict(settings), name=name, version=version)
            node.api_key = api_key
            node.settings |= {"QDRANT__CLUSTER__ENABLED": "true", "QDRANT_URI": node.uri}
            if cluster.nodes:
                node.settings["QDRANT_BOOTSTRAP"] = cluster.nodes[0].uri
            cluster.nodes.append(node)
            node.start_and_wait()
        cluster.settle()
        yield cluster
    finally:
        for node in cluster.running:
            node.kill()
