"""The monitoring's config, given to a real promtool."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.unit.bundles.conftest import REPOSITORY, run, tool


def test_promtool_accepts_the_config_and_the_rules(mac_mini: Path) -> None:
    prometheus = mac_mini / "prometheus" / "prometheus"
    run(tool("promtool"), "check", "config", prometheus / "prometheus.yml")
    run(tool("promtool"), "check", "rules", prometheus / "rules.yml")


def test_prometheus_reads_every_endpoint_once_under_its_devices_name(mac_mini: Path) -> None:
    config = yaml.safe_load((mac_mini / "prometheus" / "prometheus" / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job["static_configs"] for job in config["scrape_configs"]}
    qdrant = {t["labels"]["instance"]: t["targets"] for t in jobs["qdrant"]}
    assert qdrant == {
        "k6": ["100.64.0.21:6336"],
        "m7-1": ["100.64.0.22:6336"],
        "m7-2": ["100.64.0.23:6336"],
    }
    assert len(jobs["node-exporter"]) == 13
    assert "100.64.0.1:9090" in str(jobs["prometheus"])


def test_every_alert_of_a_running_stack_becomes_a_rule(mac_mini: Path) -> None:
    rules = yaml.safe_load((mac_mini / "prometheus" / "prometheus" / "rules.yml").read_text())
    found = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    declared = {
        alert["name"]
        for path in REPOSITORY.glob("stacks/*/bundle.yaml")
        for alert in yaml.safe_load(path.read_text("utf-8")).get("alerts", [])
    }
    assert found == declared | {"TargetDown", "BackupUnknown"}
    assert "$job" not in str([r["expr"] for g in rules["groups"] for r in g["rules"]])


def up(stack: str, instances: str, value: int = 1) -> list[dict[str, str]]:
    return [
        {"series": f'up{{job="{stack}", instance="{name}"}}', "values": f"{value}x120"}
        for name in instances.split()
    ]


def qdrant(metric: str, value: int, instance: str = "k6", labels: str = "") -> dict[str, str]:
    series = f'{metric}{{job="qdrant", instance="{instance}"{labels}}}'
    return {"series": series, "values": f"{value}x120"}


THREE_NODES = up("qdrant", "k6 m7-1 m7-2")
# What fires, given these series for an hour.
SITUATIONS = {
    "all well": (
        [
            *THREE_NODES,
            *(qdrant("cluster_peers_total", 3, name) for name in ("k6", "m7-1", "m7-2")),
            qdrant("collections_total", 2),
            qdrant("collection_active_replicas_min", 2),
            qdrant("collection_dead_replicas", 0),
            qdrant("cluster_working_state", 1, labels=', state="working"'),
            qdrant("cluster_working_state", 0, labels=', state="stopped"'),
        ],
        set(),
    ),
    "a device is away": (up("node-exporter", "nas", 0), {"TargetDown"}),
    "a second cluster": (
        [*THREE_NODES, qdrant("cluster_peers_total", 3), qdrant("cluster_peers_total", 1, "m7-1")],
        {"QdrantPeerMissing"},
    ),
    "a node that lost its disk": (
        [*THREE_NODES, qdrant("cluster_peers_total", 4)],
        {"QdrantStalePeer"},
    ),
    "consensus stopped": (
        [qdrant("cluster_working_state", 0, labels=', state="working"')],
        {"QdrantConsensusStopped"},
    ),
    "one replica only": (
        [*THREE_NODES, qdrant("collections_total", 1), qdrant("collection_active_replicas_min", 1)],
        {"QdrantShardWithoutReplica"},
    ),
    "no collection yet": (
        [*THREE_NODES, qdrant("collections_total", 0), qdrant("collection_active_replicas_min", 0)],
        set(),
    ),
    "a cluster of one": (
        [
            *up("qdrant", "k6"),
            qdrant("cluster_peers_total", 1),
            qdrant("collections_total", 1),
            qdrant("collection_active_replicas_min", 1),
        ],
        set(),
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_alerts_fire_when_they_should(situation: str, mac_mini: Path) -> None:
    series, firing = SITUATIONS[situation]
    rules = mac_mini / "prometheus" / "prometheus" / "rules.yml"
    names = [r["alert"] for g in yaml.safe_load(rules.read_text())["groups"] for r in g["rules"]]
    # promtool compares whole alerts, with their texts; whether one fires is asked of ALERTS.
    asked = [
        {
            "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) > bool 0',
            "eval_time": "1h",
            "exp_samples": [{"labels": "{}", "value": 1}] if name in firing else [],
        }
        for name in names
    ]
    tests = [{"interval": "30s", "input_series": series, "promql_expr_test": asked}]
    path = mac_mini / "tests.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(rules)], "tests": tests}))
    run(tool("promtool"), "test", "rules", path)


SUCCESS = 'paisctl_backup_last_success_timestamp_seconds{job="node-exporter", instance="nas"'


@pytest.mark.parametrize(
    ("told", "firing"),
    [
        ([], 1),
        ([("samples", "1x3000")], 1),
        ([("knowledge", "1x3000")], 0),
        ([("knowledge", "1x300")], 1),
    ],
    ids=["nothing", "another one", "it", "it, until five hours later"],
)
def test_a_backup_of_which_nothing_is_known_is_told_of(
    told: list[tuple[str, str]], firing: int, mac_mini: Path
) -> None:
    series = [{"series": f'{SUCCESS}, backup="{name}"}}', "values": v} for name, v in told]
    asked = {
        "expr": 'count(ALERTS{alertname="BackupUnknown", alertstate="firing"})',
        "eval_time": "42h",  # more than its `max_age`
        "exp_samples": [{"labels": "{}", "value": firing}] if firing else [],
    }
    rules = mac_mini / "prometheus" / "prometheus" / "rules.yml"
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [asked]}
    path = mac_mini / "tests.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(rules)], "tests": [test]}))
    run(tool("promtool"), "test", "rules", path)
