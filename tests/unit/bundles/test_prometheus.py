"""The monitoring's config, given to a real promtool."""

from __future__ import annotations

from pathlib import Path

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
    assert found == declared | {"TargetDown"}
    assert "$job" not in str([r["expr"] for g in rules["groups"] for r in g["rules"]])
