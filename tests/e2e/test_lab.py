"""The lab itself: its hosts are what their device kinds are like, and nothing of it stays behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from paisctl import pipeline
from paisctl.diagnostics import Diagnostics
from paisctl.errors import PaisctlError
from paisctl.inventory.load import load
from tests.e2e.conftest import DEVICES, INVENTORIES
from tests.e2e.rehearsal import PAISCTL, Completed, Rehearsal, SshdCounts, run

LINUX_PATH = "/usr/local/bin:/usr/bin:/bin"
MAC_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


def containers_of(lab: str) -> list[str]:
    return docker("ps", "-aq", "--filter", f"label=paisctl.lab={lab}")


def docker(*arguments: str) -> list[str]:
    return run("docker", *arguments).stdout.split()


@pytest.mark.parametrize("device", DEVICES)
def test_every_host_has_an_engine_and_no_python(fleet: Rehearsal, device: str) -> None:
    assert fleet.root(device, "docker", "version", "--format", "{{.Server.Version}}")
    assert fleet.root(device, "docker", "compose", "version", "--short")
    assert fleet.root(device, "find", "/usr/bin", "-name", "python*") == ""


@pytest.mark.parametrize(
    ("device", "path", "docker_works"),
    [
        ("k6", LINUX_PATH, "docker ps"),
        ("mac-mini", MAC_PATH, "/usr/local/bin/docker ps"),
        ("nas", MAC_PATH, "sudo -n /usr/local/bin/docker ps"),
        ("box", "/opt/appliance/bin", "docker ps"),
    ],
)
def test_docker_is_where_the_device_kind_has_it(
    fleet: Rehearsal, device: str, path: str, docker_works: str
) -> None:
    assert fleet.ssh(device, 'echo "$PATH"').stdout.strip() == path
    assert fleet.ssh(device, docker_works).returncode == 0


def test_a_mac_has_no_docker_on_the_path(fleet: Rehearsal) -> None:
    assert fleet.ssh("mac-mini", "command -v docker").returncode == 127 or not (
        fleet.ssh("mac-mini", "command -v docker").stdout
    )


def test_a_nas_keeps_its_engine_for_root(fleet: Rehearsal) -> None:
    refused = fleet.ssh("nas", "/usr/local/bin/docker ps")
    assert "permission denied" in refused.stderr
    assert fleet.ssh("nas", "sudo -n id").returncode != 0


def test_an_appliance_has_busybox_and_nothing_else(fleet: Rehearsal) -> None:
    tools = "for tool in sh ls tar sed sort cat; do readlink -f $(command -v $tool); done"
    assert set(fleet.ssh("box", tools).stdout.split()) == {"/usr/bin/busybox"}
    missing = "for tool in bash perl python3 sudo; do command -v $tool; done; true"
    assert fleet.ssh("box", missing).stdout == ""
    sftp = run(*fleet.lab.ssh_command(fleet.lab.host("box")), "-s", "sftp")
    assert "subsystem request failed" in sftp.stderr


@pytest.mark.parametrize(
    ("device", "root"),
    [
        ("k6", "/opt/paisctl"),
        ("mac-mini", "/home/paisctl/.paisctl"),
        ("nas", "/volume1/docker/paisctl"),
    ],
)
def test_the_login_owns_the_root_directory(fleet: Rehearsal, device: str, root: str) -> None:
    assert fleet.ssh(device, f"stat -c %U {root}").stdout.strip() == "paisctl"


def test_hosts_and_their_containers_reach_what_others_publish(fleet: Rehearsal) -> None:
    address = fleet.lab.host("m7-1").address
    serve = "while :; do echo hello | busybox nc -l -p 7777; done >/dev/null 2>&1 &"
    fleet.root("m7-1", "sh", "-c", serve)
    ask = f"until exec 3<>/dev/tcp/{address}/7777; do sleep 0.1; done 2>/dev/null; cat <&3"
    image = fleet.root("m7-2", "docker", "image", "ls", "-q", "paisctl-lab/qdrant-stand-in")
    inside = ("docker", "run", "--rm", "--entrypoint", "bash", image.strip(), "-c", ask)
    assert fleet.root("m7-2", "bash", "-c", ask) == "hello\n"
    assert fleet.root("m7-2", *inside) == "hello\n"


def test_a_container_may_ask_for_higher_limits_than_the_machine_has(fleet: Rehearsal) -> None:
    image = fleet.root("nas", "docker", "image", "ls", "-q", "paisctl-lab/node-exporter").strip()
    limit = ("--ulimit", "nofile=1048576:1048576")
    fleet.root("nas", "docker", "run", "--rm", *limit, "--entrypoint", "true", image)


def test_a_second_up_changes_nothing(fleet: Rehearsal) -> None:
    before = containers_of(fleet.lab.name), fleet.lab.overlay.read_bytes()
    fleet.lab.up(pipeline.desire(INVENTORIES), DEVICES)
    assert (containers_of(fleet.lab.name), fleet.lab.overlay.read_bytes()) == before


def test_the_overlay_leaves_only_the_labs_hosts_to_deploy_to(fleet: Rehearsal) -> None:
    diagnostics = Diagnostics()
    merged = load(fleet.inventories, diagnostics)
    assert merged is not None
    assert not diagnostics.errors
    assert {name for name, d in merged.devices.items() if d.device.deploy} == set(DEVICES)


def test_the_directory_keeps_keys_for_its_owner_alone(fleet: Rehearsal) -> None:
    private = [fleet.lab.directory / "id_ed25519", *fleet.lab.directory.glob("hosts/*/*_key")]
    assert len(private) == 1 + len(DEVICES)
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_sshd_counts_each_login_and_command(fleet: Rehearsal) -> None:
    before = fleet.sshd("m7-2")
    fleet.ssh("m7-2", "true")
    assert fleet.sshd("m7-2") - before == SshdCounts(connections=1, executions=1)


def test_an_image_that_the_lab_does_not_have_is_named_with_its_stack(
    fleet: Rehearsal, tmp_path: Path
) -> None:
    change = {"stacks": {"haproxy": {"images": {"haproxy": {"repository": "acme/balancer"}}}}}
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump(change), "utf-8")
    with pytest.raises(PaisctlError, match=r"`acme/balancer:\S+` \(stack `haproxy`\)"):
        fleet.lab.up(pipeline.desire((*INVENTORIES, overlay)), ["mac-mini"])


class SmallLab:
    """A lab of one host, by the commands that a person types."""

    def __init__(self, state: Path) -> None:
        self.name = f"test-{os.getpid()}-small"
        self.state = state

    def run(self, command: str, *arguments: str) -> Completed:
        options = [part for path in INVENTORIES for part in ("-i", str(path))]
        own = ("--name", self.name, "--state", str(self.state))
        return run(str(PAISCTL), *options, "lab", command, *own, *arguments)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallLab]:
    lab = SmallLab(tmp_path / "lab")
    assert lab.run("up", "nas").returncode == 0
    yield lab
    lab.run("down")


def test_another_lab_lives_beside_the_first_and_leaves_no_trace(
    fleet: Rehearsal, small: SmallLab
) -> None:
    others = containers_of(fleet.lab.name)
    assert len(containers_of(small.name)) == 1
    assert "nas     running" in small.run("status").stdout
    assert small.run("ssh", "nas", "whoami").stdout == "paisctl\n"
    assert small.run("exec", "nas", "--", "whoami").stdout == "root\n"

    assert small.run("down").returncode == 0

    mine = f"label=paisctl.lab={small.name}"
    assert containers_of(small.name) == []
    assert docker("volume", "ls", "-q", "--filter", mine) == []
    assert docker("network", "ls", "-q", "--filter", mine) == []
    assert not small.state.exists()
    assert containers_of(fleet.lab.name) == others


def test_a_stopped_lab_comes_back_with_its_host_keys(small: SmallLab) -> None:
    pinned = {line.split()[2] for line in (small.state / "known_hosts").read_text().splitlines()}
    docker("stop", "--time", "1", *containers_of(small.name))
    assert small.run("up", "nas").returncode == 0
    assert {
        line.split()[2] for line in (small.state / "known_hosts").read_text().splitlines()
    } == pinned
    assert small.run("ssh", "nas", "whoami").stdout == "paisctl\n"
