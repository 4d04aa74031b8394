"""Fields of a service as it should be, and of a container as Docker shows it, side by side."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from paisctl.reconcile.threeway import differences
from paisctl.rendering.compose import complete, compose_files
from paisctl.resources.compose import ServiceSpec, fields
from paisctl.resources.container import Container, image_fields, live_fields, with_inherited
from tests.simulated.compose import image, inspect, read_project

DIRECTORY = "/opt/paisctl/stacks/web"
# Every way to write each part of a service that a container shows.
DEFINITIONS: dict[str, dict[str, Any]] = {
    "list of variables": {"environment": {"A": "x=y", "B": "", "C": "$HOME ${x}"}},
    "odd scalars": {"environment": {"N": 8080, "F": 1.5, "T": True, "E": None}},
    "labels": {"labels": {"a.b": "c", "n": 1, "t": False}},
    "shell command": {"command": "serve --name 'two words' --price $5"},
    "command": {"command": ["serve", "a b", ""], "entrypoint": ["/bin/sh", "-c"]},
    "ports": {"ports": ["80:80", "127.0.0.1:81:81", "[fd7a::1]:82:82", "53:53/udp"]},
    "one port on two addresses": {"ports": ["10.0.0.1:80:80", "10.0.0.2:80:80"]},
    "mounts": {"volumes": ["data:/data", "./conf:/etc/x:ro", "/srv/y:/y", "./:/here"]},
    "mounts that end in a slash": {"volumes": ["/srv/y/:/y/", "./conf/:/x/", "data:/data/"]},
    "long mounts": {
        "volumes": [
            {"type": "bind", "source": "./conf", "target": "/x", "read_only": True},
            {"type": "volume", "source": "data", "target": "/data"},
            {"type": "tmpfs", "target": "/scratch"},
        ]
    },
    "memory": {"mem_limit": "1536m"},
    "memory in bytes": {"mem_limit": 123456789},
    "processors": {"cpus": 1.5, "cpu_shares": 512, "cpuset": "0-2", "pids_limit": 100},
    "processor quota": {"cpu_quota": 50000, "cpu_period": 25000, "mem_reservation": "64m"},
    "limits of a deployment": {
        "deploy": {
            "resources": {
                "limits": {"cpus": "0.5", "memory": "1g", "pids": 50},
                "reservations": {"memory": "512m"},
            }
        }
    },
    "restart": {"restart": "on-failure:3"},
    "check": {
        "healthcheck": {
            "test": ["CMD", "x"],
            "interval": "1m30s",
            "timeout": "700ms",
            "start_period": "9ms",
            "retries": 6,
        }
    },
    "shell check": {"healthcheck": {"test": "x | grep $y"}},
    "no check": {"healthcheck": {"disable": True}},
    "rights": {
        "cap_add": ["NET_ADMIN"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "privileged": True,
        "read_only": True,
        "pid": "host",
    },
    "tmpfs": {"tmpfs": ["/scratch", "/run:size=64m,mode=1777"]},
    "hosts": {"extra_hosts": ["a:10.0.0.1", "b:fd7a::2"]},
    "user": {"user": 1000, "stop_signal": "SIGINT", "stop_grace_period": "2m"},
    "networks": {"networks": ["front", "back"]},
    "host network": {"network_mode": "host"},
}


def made(definition: dict[str, Any]) -> tuple[ServiceSpec, Container, dict[str, Any]]:
    """A service, and the container that Compose would make of it."""
    document = {"services": {"app": {"image": "example/app:1"} | definition}}
    service = ServiceSpec("app", complete(document, {})["app"])
    [file] = compose_files("web", {"volumes": {"data": None}}, {"app": service})
    found = image(service.image)
    project = read_project(file.content)
    return service, Container(inspect(project, "app", DIRECTORY, found["Id"], 1)), found


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_container_made_from_a_definition_does_not_differ_from_it(name: str) -> None:
    service, container, found = made(DEFINITIONS[name])
    wanted = fields(service, "web", DIRECTORY)
    assert differences(wanted, live_fields(container, found), wanted) == []


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_container_without_it_differs(name: str) -> None:
    service, _, _ = made(DEFINITIONS[name])
    _, container, found = made({})
    wanted = fields(service, "web", DIRECTORY)
    assert differences(wanted, live_fields(container, found), wanted)


@pytest.mark.parametrize(
    "definition",
    [{"command": []}, {"command": ""}, {"entrypoint": [], "command": ["serve"]}],
    ids=str,
)
def test_what_is_cleared_of_the_image_is_as_wanted(definition: dict[str, Any]) -> None:
    service, container, found = made(definition)
    wanted = fields(service, "web", DIRECTORY)
    live = with_inherited(live_fields(container, found), image_fields(found), wanted)
    assert differences(wanted, live, wanted) == []


@pytest.mark.parametrize("check", [{"test": ["CMD", "x"], "retries": 2}, {"interval": "1s"}])
def test_parts_of_a_health_check_that_the_image_adds_are_no_difference(
    check: dict[str, Any],
) -> None:
    service, container, found = made({"healthcheck": check})
    own = {"Test": ["CMD", "own"], "Interval": 30 * 10**9, "Timeout": 5 * 10**9, "Retries": 3}
    config = container.inspected["Config"]
    asked = {key: value for key, value in config["Healthcheck"].items() if value}
    config["Healthcheck"] = own | asked  # as Docker merges them
    found = found | {"Config": found["Config"] | {"Healthcheck": own}}
    wanted = fields(service, "web", DIRECTORY)
    live = with_inherited(live_fields(container, found), image_fields(found), wanted)
    assert differences(wanted, live, wanted) == []
    config["Healthcheck"]["Timeout"] = 10**9
    live = with_inherited(live_fields(container, found), image_fields(found), wanted)
    assert [d.field for d in differences(wanted, live, wanted)] == ["health check"]


def test_the_compose_file_has_labels_and_no_lone_dollar() -> None:
    service = ServiceSpec("app", {"image": "example/app:1", "command": ["$A", "$$"]})
    [file] = compose_files("web", {"services": {}, "version": "3", "volumes": {}}, {"app": service})
    document = yaml.safe_load(file.content)
    assert document["name"] == "web"
    assert document["services"]["app"]["command"] == ["$$A", "$$$$"]
    assert document["services"]["app"]["labels"]["paisctl.digest"] == service.digest
    assert "version" not in document


def test_the_digest_is_of_the_content_not_of_the_order() -> None:
    one = ServiceSpec("app", {"image": "a", "environment": {"A": "1", "B": "2"}})
    other = ServiceSpec("app", {"environment": {"B": "2", "A": "1"}, "image": "a"})
    assert one.digest == other.digest
    assert one.digest != ServiceSpec("app", one.definition, {"file": "x"}).digest
