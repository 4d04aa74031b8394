from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from paisctl.diagnostics import Diagnostics
from paisctl.inventory.types import parse_size
from paisctl.rendering.catalog import load_catalog
from paisctl.secrets import token
from tests.unit.bundles.conftest import (
    REFERENCE,
    REPOSITORY,
    RenderedFleet,
    overlay,
    render_inventory,
)

STACKS = {p.parent.name for p in REPOSITORY.glob("stacks/*/bundle.yaml")}
HOSTILE = "\"\n  privileged: true # {{ 7 * 7 }} $HOME ${X} ' : - äöü 🦉 \\ \x7f\x85\u2028 "


def test_every_bundle_loads() -> None:
    diagnostics = Diagnostics()
    catalog = load_catalog([REPOSITORY], diagnostics)
    assert list(diagnostics) == []
    assert set(catalog.stacks) == STACKS
    assert set(catalog.configs) == {"haproxy", "prometheus"}


def test_describes_all_devices_of_the_reference_architecture() -> None:
    devices = yaml.safe_load(REFERENCE.read_text("utf-8"))["devices"]
    assert len(devices) == 18
    assert len({device["address"] for device in devices.values()}) == 18


def test_runs_every_stack_somewhere(reference: RenderedFleet) -> None:
    running = {name for host in reference.rendered.hosts.values() for name in host.stacks}
    assert running == STACKS


def test_the_starter_inventory_renders_without_problems() -> None:
    fleet = render_inventory(REPOSITORY / "src/paisctl/starter/inventory/pais.yaml")
    assert list(fleet.rendered.hosts) == ["mini-pc", "mac", "nas"]


def test_workstations_are_not_deployed_to(reference: RenderedFleet) -> None:
    assert not {"thinkpad", "macbook", "dell"} & set(reference.rendered.hosts)


def test_every_service_has_a_memory_limit_and_no_new_privileges(reference: RenderedFleet) -> None:
    for host in reference.rendered.hosts.values():
        for stack in host.stacks.values():
            for name, service in stack.services.items():
                where = f"{host.device}/{stack.name} {name}"
                assert parse_size(service.definition["mem_limit"]), where
                assert service.definition["security_opt"] == ["no-new-privileges:true"], where
                assert service.definition["cap_drop"] == ["ALL"], where


def test_every_service_that_stays_has_a_health_check(reference: RenderedFleet) -> None:
    for host in reference.rendered.hosts.values():
        for stack in host.stacks.values():
            for name, service in stack.services.items():
                stays = service.definition["restart"] == "unless-stopped"
                assert stays == ("healthcheck" in service.definition), f"{stack.name} {name}"


def test_ports_are_published_on_the_tailnet_address_only(reference: RenderedFleet) -> None:
    for host in reference.rendered.hosts.values():
        for stack in host.stacks.values():
            for service in stack.services.values():
                for port in service.definition.get("ports", []):
                    assert port.startswith("100.64.0."), f"{stack.name}: {port}"


def test_every_image_is_pinned_to_a_version(reference: RenderedFleet) -> None:
    for host in reference.rendered.hosts.values():
        for stack in host.stacks.values():
            for service in stack.services.values():
                tag = service.image.rpartition(":")[2]
                assert any(character.isdigit() for character in tag), service.image


def test_secrets_are_only_in_files_for_the_owner(reference: RenderedFleet) -> None:
    secret = [
        (stack.name, file.path, file.mode)
        for host in reference.rendered.hosts.values()
        for stack in host.stacks.values()
        for file in stack.files.values()
        if file.secret
    ]
    assert {name for name, *_ in secret} == {"qdrant", "redis-cache", "docling"}
    assert {(path, mode) for _, path, mode in secret} == {("compose.override.yaml", "0600")}


def test_the_reranker_image_is_the_one_for_the_architecture(tmp_path: Path) -> None:
    stacks = {"reranker": {"memory": "4g"}}
    changed = render_inventory(
        REFERENCE, overlay(tmp_path, {"devices": {"rpi5-3": {"stacks": stacks}}})
    )
    assert changed.service("m7-1", "reranker", "reranker")["image"].endswith(":cpu-1.9")
    assert changed.service("rpi5-3", "reranker", "reranker")["image"].endswith(":cpu-arm64-1.9")


def test_redis_data_is_three_quarters_of_its_limit(reference: RenderedFleet) -> None:
    redis = reference.service("k6", "redis-cache", "redis")
    assert int(redis["environment"]["MAXMEMORY"]) == 6 * 1024**3
    assert redis["environment"]["REDISCLI_AUTH"] == token("redis_password")
    assert "redis_password" not in str(redis["command"])


def test_declared_models_are_pulled_by_a_service_that_ends(reference: RenderedFleet) -> None:
    assert reference.file("k6", "embeddings", "models/models.txt") == "nomic-embed-text\n"
    models = reference.service("k6", "embeddings", "models")
    assert models["restart"] == "no"
    assert models["depends_on"] == {"ollama": {"condition": "service_healthy"}}
    mounted = reference.rendered.hosts["k6"].stacks["embeddings"].services["models"].mounted
    assert set(mounted) == {"models/models.txt"}


def test_the_node_exporter_listens_on_the_device_itself(reference: RenderedFleet) -> None:
    exporter = reference.service("rpi5-2", "node-exporter", "node-exporter")
    assert exporter["network_mode"] == exporter["pid"] == "host"
    assert "--web.listen-address=100.64.0.42:9100" in exporter["command"]
    assert exporter["volumes"] == ["/:/host:ro", "../../metrics:/metrics:ro"]


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_a_hostile_environment_value_stays_a_value(stack: str, tmp_path: Path) -> None:
    extra = {"environment": {"GREETING": HOSTILE}}
    changed = render_inventory(REFERENCE, overlay(tmp_path, {"stacks": {stack: extra}}))
    hosts = [host for host in changed.rendered.hosts.values() if stack in host.stacks]
    for host in hosts:
        spec = host.stacks[stack]
        assert "privileged" not in {key for s in spec.services.values() for key in s.definition}
        written = yaml.safe_load(spec.files["compose.yaml"].content)
        values = [s.get("environment", {}).get("GREETING") for s in written["services"].values()]
        assert HOSTILE.replace("$", "$$") in values


def test_hostile_texts_in_other_settings_stay_texts(tmp_path: Path) -> None:
    settings = {
        "reranker": {"model": HOSTILE},
        "redis-cache": {"policy": HOSTILE},
        "embeddings": {"keep_alive": HOSTILE},
        "prometheus": {"retention_time": HOSTILE},
    }
    fleet = render_inventory(REFERENCE, overlay(tmp_path, {"stacks": settings}))
    reranker = fleet.service("m7-1", "reranker", "reranker")
    assert reranker["command"] == ["--model-id", HOSTILE, "--port", "8080"]
    redis = fleet.service("k6", "redis-cache", "redis")
    assert redis["environment"]["MAXMEMORY_POLICY"] == HOSTILE


def test_scripts_in_bundles_need_no_executable_bit() -> None:
    # They are mounted as 0644 files and named as an argument of their interpreter.
    scripts = list(REPOSITORY.glob("stacks/*/*.sh"))
    assert scripts
    assert not [p for p in scripts if p.stat().st_mode & stat.S_IXUSR]
