"""The knowledge layer and its front door. Qdrant is a stand-in here; HAProxy and Redis are real."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.rehearsal import Rehearsal
from tests.e2e.scenario import apply, plan

NODES = ("k6", "m7-1", "m7-2")
HAPROXY = "haproxy-haproxy-1"
QDRANT = "qdrant-qdrant-1"


def fetch(fleet: Rehearsal, url: str, source: str = "nas", key: str = "") -> str:
    """Get a URL from inside a host of the lab."""
    header = ("--header", f"api-key: {key}") if key else ()
    return fleet.root(source, "busybox", "wget", "-q", "-O", "-", *header, url)


def api_key(fleet: Rehearsal) -> str:
    return str(yaml.safe_load((fleet.lab.directory / "secrets.yaml").read_text())["qdrant_api_key"])


def cluster(fleet: Rehearsal, node: str) -> dict[str, Any]:
    url = f"http://{fleet.lab.host(node).address}:6333/cluster"
    result: dict[str, Any] = json.loads(fetch(fleet, url, key=api_key(fleet)))["result"]
    return result


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.5)


def servers_up(fleet: Rehearsal) -> set[str]:
    """The Qdrant servers that HAProxy has in use, by its own metrics."""
    metrics = fetch(fleet, f"http://{fleet.lab.host('mac-mini').address}:8405/metrics")
    return {
        line.split('server="')[1].partition('"')[0]
        for line in metrics.splitlines()
        if line.startswith('haproxy_server_status{proxy="qdrant",')
        and 'state="UP"' in line
        and line.endswith(" 1")
    }


def test_three_nodes_form_one_cluster_through_their_published_ports(deployed: Rehearsal) -> None:
    seen = {node: cluster(deployed, node) for node in NODES}
    assert {each["status"] for each in seen.values()} == {"enabled"}
    peers = [frozenset(each["peers"]) for each in seen.values()]
    assert len(set(peers)) == 1
    assert len(peers[0]) == 3
    assert {str(each["peer_id"]) for each in seen.values()} == set(peers[0])
    uris = {peer["uri"].rstrip("/") for peer in seen["k6"]["peers"].values()}
    assert uris == {f"http://{deployed.lab.host(node).address}:6335" for node in NODES}
    assert len({each["raft_info"]["leader"] for each in seen.values()}) == 1


def test_a_collection_made_on_one_node_is_on_all(deployed: Rehearsal) -> None:
    address = deployed.lab.host("k6").address
    body = '{"vectors": {"size": 4, "distance": "Cosine"}}'
    put = (
        f"exec 3<>/dev/tcp/{address}/6333; printf 'PUT /collections/seen HTTP/1.0\\r\\n"
        f"api-key: {api_key(deployed)}\\r\\nContent-Type: application/json\\r\\n"
        f"Content-Length: {len(body)}\\r\\n\\r\\n{body}' >&3; head -n1 <&3"
    )
    assert " 200 " in deployed.root("m7-1", "bash", "-c", put)
    for node in NODES:
        url = f"http://{deployed.lab.host(node).address}:6333/collections"
        assert '"seen"' in fetch(deployed, url, key=api_key(deployed))


def test_without_the_key_nothing_is_told(deployed: Rehearsal) -> None:
    address = deployed.lab.host("k6").address
    ask = f"exec 3<>/dev/tcp/{address}/6333; printf 'GET /collections HTTP/1.0\\r\\n\\r\\n' >&3; head -n1 <&3"
    assert " 401 " in deployed.root("m7-1", "bash", "-c", ask)


def test_a_stopped_node_is_taken_out_and_comes_back(deployed: Rehearsal) -> None:
    front = f"http://{deployed.lab.host('mac-mini').address}:6333/collections"
    until(lambda: servers_up(deployed) == set(NODES))
    deployed.root("m7-2", "docker", "stop", QDRANT)
    until(lambda: servers_up(deployed) == {"k6", "m7-1"})
    for _ in range(6):
        assert '"collections"' in fetch(deployed, front, key=api_key(deployed))
    assert [change["subject"] for change in plan(deployed)] == ["service qdrant"]
    apply(deployed)
    until(lambda: servers_up(deployed) == set(NODES))


def test_a_new_haproxy_configuration_is_loaded_without_a_failed_request(
    deployed: Rehearsal, tmp_path: Path
) -> None:
    """Requests run all the time, one connection is in the middle of one while it is reloaded."""
    until(lambda: servers_up(deployed) == set(NODES))
    before = deployed.containers("mac-mini")[HAPROXY]
    address = deployed.lab.host("mac-mini").address
    load = (
        "rm -f /run/stop /run/result; good=0; bad=0; while [ ! -e /run/stop ]; do "
        f"if busybox wget -q -T 5 -O /dev/null http://{address}:6333/readyz; "
        "then good=$((good+1)); else bad=$((bad+1)); fi; done; echo $good $bad >/run/result"
    )
    held = (
        f"exec 3<>/dev/tcp/{address}/6333; printf 'GET /readyz HTTP/1.1\\r\\nHost: q\\r\\n' >&3; "
        "while [ ! -e /run/stop ]; do sleep 0.1; done; "
        "printf 'Connection: close\\r\\n\\r\\n' >&3; head -n1 <&3 >/run/held"
    )
    for program in (load, held):
        deployed.root("m7-1", "bash", "-c", f"({program}) >/dev/null 2>&1 &")
    time.sleep(1)
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("stacks: {haproxy: {maxconn: 2048}}")
    changes = plan(deployed, "mac-mini", overlay=overlay)
    assert [(c["subject"], c["disruption"]) for c in changes] == [
        ("file haproxy/haproxy.cfg", "reload")
    ]
    apply(deployed, "mac-mini", overlay=overlay)
    time.sleep(2)
    deployed.root("m7-1", "touch", "/run/stop")
    until(
        lambda: (
            deployed.root("m7-1", "sh", "-c", "cat /run/held /run/result 2>/dev/null; true").count(
                "\n"
            )
            == 2
        )
    )

    good, bad = map(int, deployed.root("m7-1", "cat", "/run/result").split())
    assert (bad, good > 20) == (0, True)
    assert " 200 " in deployed.root("m7-1", "cat", "/run/held")
    after = deployed.containers("mac-mini")[HAPROXY]
    assert (after["Id"], after["State"]["StartedAt"]) == (
        before["Id"],
        before["State"]["StartedAt"],
    )
    info = deployed.root(
        "mac-mini",
        "docker",
        "exec",
        HAPROXY,
        "bash",
        "-c",
        "exec 3<>/dev/tcp/127.0.0.1/9999; echo 'show info' >&3; cat <&3",
    )
    assert "Maxconn: 2048" in info


def test_prometheus_scrapes_what_the_graph_names(deployed: Rehearsal) -> None:
    url = f"http://{deployed.lab.host('mac-mini').address}:9090/api/v1/targets?state=active"

    def healthy() -> set[str]:
        targets = json.loads(fetch(deployed, url))["data"]["activeTargets"]
        return {t["labels"]["job"] for t in targets if t["health"] == "up"}

    until(lambda: {"qdrant", "haproxy", "node-exporter"} <= healthy(), 90)


def test_redis_wants_its_password(deployed: Rehearsal) -> None:
    ping = ("docker", "exec", "redis-cache-redis-1", "redis-cli", "ping")
    assert deployed.root("k6", *ping).strip() == "PONG"
    bare = ("docker", "exec", "-e", "REDISCLI_AUTH=", "redis-cache-redis-1", "redis-cli", "ping")
    assert "NOAUTH" in deployed.root("k6", *bare)
