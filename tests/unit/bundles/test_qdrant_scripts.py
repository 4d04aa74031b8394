"""The scripts of the Qdrant bundle, run by bash against real sockets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.unit.bundles.conftest import REPOSITORY

SCRIPTS = REPOSITORY / "stacks" / "qdrant"
NEW = {"state": {"hard_state": {"term": 0, "vote": 0, "commit": 0}}, "this_peer_id": 7}
MEMBER = {"state": {"hard_state": {"term": 12, "vote": 7, "commit": 40}}, "this_peer_id": 7}


class Node:
    """Qdrant's working directory in the image, with an entrypoint that tells how it was started."""

    def __init__(self, folder: Path, own_port: int, members: list[int]) -> None:
        self.folder = folder
        self.uri = f"http://127.0.0.1:{own_port}"
        cluster = folder / "cluster"
        cluster.mkdir()
        (cluster / "start.sh").write_bytes((SCRIPTS / "start.sh").read_bytes())
        (cluster / "members").write_text("".join(f"http://127.0.0.1:{p}\n" for p in members))
        (folder / "storage").mkdir()
        entrypoint = folder / "entrypoint.sh"
        entrypoint.write_text('#!/bin/sh\necho "started:${QDRANT_BOOTSTRAP-alone}"\n')
        entrypoint.chmod(0o755)

    def remembers(self, state: dict[str, Any]) -> None:
        (self.folder / "storage" / "raft_state.json").write_text(
            json.dumps(state, separators=(",", ":"))
        )

    def start(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "cluster/start.sh"],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "QDRANT_URI": self.uri},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )


@pytest.fixture
def ports() -> list[int]:
    """Three ports on which nobody listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    numbers = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return numbers


@contextmanager
def listening(port: int) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", port)):
        yield


def test_the_first_node_founds_the_cluster(tmp_path: Path, ports: list[int]) -> None:
    result = Node(tmp_path, ports[0], ports).start()
    assert (result.returncode, result.stdout) == (0, "started:alone\n")
    assert "founding" in result.stderr


def test_other_nodes_join_who_answers(tmp_path: Path, ports: list[int]) -> None:
    with listening(ports[0]):
        result = Node(tmp_path, ports[2], ports).start()
    assert result.stdout == f"started:http://127.0.0.1:{ports[0]}\n"


def test_other_nodes_wait_while_nobody_answers(tmp_path: Path, ports: list[int]) -> None:
    result = Node(tmp_path, ports[1], ports).start()
    assert (result.returncode, result.stdout) == (1, "")
    assert f"only http://127.0.0.1:{ports[0]} may found" in result.stderr


def test_a_first_node_that_lost_its_disk_joins_instead_of_founding(
    tmp_path: Path, ports: list[int]
) -> None:
    with listening(ports[2]):
        result = Node(tmp_path, ports[0], ports).start()
    assert result.stdout == f"started:http://127.0.0.1:{ports[2]}\n"


def test_a_node_does_not_take_itself_for_a_peer(tmp_path: Path, ports: list[int]) -> None:
    with listening(ports[1]):
        result = Node(tmp_path, ports[1], ports).start()
    assert result.returncode == 1


def test_a_member_starts_without_asking_anybody(tmp_path: Path, ports: list[int]) -> None:
    node = Node(tmp_path, ports[1], ports)
    node.remembers(MEMBER)
    assert node.start().stdout == "started:alone\n"


def test_a_join_that_failed_is_tried_again(tmp_path: Path, ports: list[int]) -> None:
    node = Node(tmp_path, ports[1], ports)
    node.remembers(NEW)  # written before the join, so it does not prove one
    assert node.start().returncode == 1
    with listening(ports[0]):
        assert node.start().stdout == f"started:http://127.0.0.1:{ports[0]}\n"


def test_the_first_start_of_a_container_leaves_a_mark(tmp_path: Path, ports: list[int]) -> None:
    node = Node(tmp_path, ports[0], ports)
    mark = tmp_path / "storage" / ".started-by"
    node.start()
    first = mark.stat().st_mtime_ns
    assert mark.read_text() == f"{socket.gethostname()}\n"
    node.start()
    assert mark.stat().st_mtime_ns == first  # the same container, started again
    mark.write_text("another\n")
    node.start()
    assert mark.read_text() == f"{socket.gethostname()}\n"


def test_storage_elsewhere_is_found(tmp_path: Path, ports: list[int]) -> None:
    node = Node(tmp_path, ports[1], ports)
    (tmp_path / "storage").rename(tmp_path / "other")
    script = tmp_path / "cluster" / "start.sh"
    (tmp_path / "other" / "raft_state.json").write_text(json.dumps(MEMBER))
    result = subprocess.run(
        ["bash", script],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "QDRANT_URI": node.uri,
            "QDRANT__STORAGE__STORAGE_PATH": "./other",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "started:alone\n"


class _Cluster(BaseHTTPRequestHandler):
    answer = ""

    def do_GET(self) -> None:
        known = self.headers["api-key"] == "a key" and self.path == "/cluster"
        body = (self.answer if known else '{"status":{"error":"no"}}').encode()
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def cluster_answer(peers: int, *, voter: bool = True, leader: int | None = 1) -> str:
    known = {str(i): {"uri": f"http://100.64.0.2{i}:6335/"} for i in range(1, peers + 1)}
    raft = {"term": 3, "commit": 9, "leader": leader, "role": "Follower", "is_voter": voter}
    failures = {"http://100.64.0.29:6335/": {"count": 3, "latest_error": "uri unreachable"}}
    result = {
        "status": "enabled",
        "peer_id": 1,
        "peers": known,
        "raft_info": raft,
        "message_send_failures": failures,
    }
    return json.dumps({"result": result, "status": "ok"}, separators=(",", ":"))


def joined(answer: str, expected: int, key: str = "a key") -> subprocess.CompletedProcess[str]:
    handler = type("Handler", (_Cluster,), {"answer": answer})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        script = (SCRIPTS / "joined.sh").read_text().replace("/6333", f"/{server.server_port}")
        try:
            return subprocess.run(
                ["bash", "-c", script, "joined.sh", str(expected)],
                env={"PATH": os.environ["PATH"], "QDRANT__SERVICE__API_KEY": key},
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
        finally:
            server.shutdown()


@pytest.mark.parametrize(("answer", "expected"), [(cluster_answer(3), 3), (cluster_answer(3), 1)])
def test_the_gate_opens_for_a_node_that_has_joined(answer: str, expected: int) -> None:
    assert joined(answer, expected).returncode == 0


@pytest.mark.parametrize(
    "answer",
    [
        cluster_answer(1),
        cluster_answer(2, voter=False),
        cluster_answer(2, leader=None),
        '{"result":{"status":"disabled"},"status":"ok"}',
        "",
    ],
)
def test_the_gate_stays_shut_until_then(answer: str) -> None:
    result = joined(answer, 2)
    assert result.returncode == 1
    assert "of 2 nodes" in result.stderr


def test_the_gate_does_not_print_the_key() -> None:
    result = joined(cluster_answer(1), 2, key="hush")
    assert result.returncode == 1
    assert "hush" not in result.stdout + result.stderr
