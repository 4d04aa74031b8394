"""The lab's containers: one per device, each a host with sshd and a Docker engine of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from python_on_whales.exceptions import DockerException

from paisctl.errors import PaisctlError
from paisctl.lab.profiles import Profile

if TYPE_CHECKING:
    from python_on_whales import Container, DockerClient, Network

LAB = "paisctl.lab"
DEVICE = "paisctl.lab.device"
PROFILE = "paisctl.lab.profile"
ADDRESS = "paisctl.lab.address"

USER = "paisctl"
READY_SECONDS = 60

# What an engine inside a container needs beyond Docker's default set, and all that it can be
# given where root itself is restricted: `--privileged` fails there (moby profiles/seccomp).
_CAPABILITIES = (
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "BLOCK_SUSPEND",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "NET_ADMIN",
    "NET_BROADCAST",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYSLOG",
    "WAKE_ALARM",
)
_UNCONFINED = ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined")


@dataclass(frozen=True, slots=True)
class LabHost:
    """A host of the lab, as its container describes it. `port` is sshd's, on 127.0.0.1."""

    device: str
    profile: str
    container: str
    state: str
    address: str
    port: int | None


class Hosts:
    """The hosts of one lab, by name, in the local engine."""

    def __init__(self, docker: DockerClient, lab: str) -> None:
        self._docker = docker
        self._lab = lab
        self._prefix = f"paisctl-lab-{lab}"
        self._mine: tuple[Literal["label"], str] = ("label", f"{LAB}={lab}")

    @property
    def network(self) -> str:
        return self._prefix

    def list(self) -> list[LabHost]:
        """All hosts of the lab, running or not, sorted by device."""
        containers = self._docker.container.list(all=True, filters=[self._mine])
        return sorted((_describe(c) for c in containers), key=lambda host: host.device)

    def create(self, device: str, profile: Profile, root: str, address: str, image: str) -> None:
        """Create a device's container; `start` starts it."""
        labels = {LAB: self._lab, DEVICE: device, PROFILE: profile.name, ADDRESS: address}
        name = f"{self._prefix}-{device}"
        self._docker.volume.create(name, labels={LAB: self._lab})
        self._docker.container.create(
            image,
            name=name,
            hostname=device,
            labels=labels,
            envs=profile.environment(root),
            networks=[self.network],
            ip=address,
            publish=[("127.0.0.1:", 22)],
            volumes=[(name, "/var/lib/docker")],
            cap_add=_CAPABILITIES,
            security_options=_UNCONFINED,
            cgroupns="private",
            init=True,
            pull="never",
        )

    def start(self, device: str, keys: Path) -> None:
        """Start a host, if it does not run, and wait until its sshd and its engine answer.

        Args:
            device: whose host.
            keys: folder with its host key and the keys that may log in; it gets a copy.

        Raises:
            PaisctlError: one of them does not within a minute.
        """
        name = f"{self._prefix}-{device}"
        container = self._docker.container.inspect(name)
        if not container.state.running:
            self._docker.copy(f"{keys}/.", (name, "/etc/paisctl-lab"))
            container.start()
        wait = f"timeout {READY_SECONDS} sh -c 'until docker version; do sleep 0.2; done'"
        try:
            self._docker.container.execute(name, ["sh", "-c", wait])
            _wait_for_ssh(_describe(self._docker.container.inspect(name)))
        except (DockerException, OSError) as error:
            raise PaisctlError(
                f"lab host {device} did not get ready",
                f"see `docker logs {name}` and `docker exec {name} cat /var/log/dockerd.log`",
            ) from error

    def images(self, host: LabHost) -> set[tuple[str, str]]:
        """The reference and ID of every image in the host's engine."""
        wanted = "{{.Repository}}:{{.Tag}} {{.ID}}"
        command = ["docker", "image", "ls", "--no-trunc", "--format", wanted]
        listed = self._docker.container.execute(host.container, command)
        rows = (line.split() for line in str(listed).splitlines())
        return {(reference, image_id) for reference, image_id in rows}

    def load(self, host: LabHost, images: Iterable[str]) -> None:
        """Copy images from the local engine into the host's, without a file between."""
        docker = self._docker.client_config.docker_cmd
        with subprocess.Popen([*docker, "save", *images], stdout=subprocess.PIPE) as save:
            load = subprocess.run(
                [*docker, "exec", "-i", host.container, "docker", "load", "-q"],
                stdin=save.stdout,
                capture_output=True,
                text=True,
                check=False,
            )
        if save.returncode or load.returncode:
            raise PaisctlError(f"cannot load images into {host.device}: {load.stderr.strip()}")

    def engine_version(self, host: LabHost) -> str | None:
        """The version of the host's engine, or None when it does not answer."""
        command = ["docker", "version", "--format", "{{.Server.Version}}"]
        try:
            return str(self._docker.container.execute(host.container, command))
        except DockerException:
            return None

    def ensure_network(self, subnets: Iterable[str]) -> str:
        """Make the lab's network on the first of these subnets that is free; say which it has."""
        found = self._docker.network.list(filters=[self._mine])
        network = found[0] if found else self._create_network(subnets)
        return str((network.ipam.config or [])[0]["Subnet"])

    def _create_network(self, subnets: Iterable[str]) -> Network:
        create = self._docker.network.create
        for subnet in subnets:
            try:
                return create(self.network, subnet=subnet, labels={LAB: self._lab})
            except DockerException as error:
                if "overlaps" not in (error.stderr or ""):
                    raise
        raise PaisctlError("no free subnet for the lab's network", "remove a lab that is not used")

    def remove(self) -> int:
        """Remove the lab's containers, volumes and network. Returns how many hosts there were."""
        containers = self._docker.container.list(all=True, filters=[self._mine])
        self._docker.container.remove(containers, force=True, volumes=True)
        self._docker.volume.remove([*self._docker.volume.list(filters=[self._mine])])
        self._docker.network.remove([*self._docker.network.list(filters=[self._mine])])
        return len(containers)


def _describe(container: Container) -> LabHost:
    labels = container.config.labels or {}
    published = (container.network_settings.ports or {}).get("22/tcp") or []
    return LabHost(
        device=labels[DEVICE],
        profile=labels[PROFILE],
        container=container.name,
        state=str(container.state.status),
        address=labels[ADDRESS],
        port=int(published[0]["HostPort"]) if published else None,
    )


def _wait_for_ssh(host: LabHost) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", host.port or 0), timeout=5) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)
