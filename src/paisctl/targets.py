"""The hosts of a fleet as things to connect to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from paisctl.desired import HostSpec
from paisctl.inventory.load import Fleet, FleetDevice
from paisctl.inventory.types import parse_duration
from paisctl.transports import SshSettings, Transport
from paisctl.transports.ssh import SshTransport


@dataclass(frozen=True)
class Target:
    """A host to observe and perhaps to change; its connection is kept from one to the other.

    Attributes:
        root: the directory paisctl owns there; may begin with `~/`.
        fleet: whose host it is.
        images: the image references that its stacks want; empty when it should have no stacks.
        docker: absolute path of docker; empty to look for it.
        docker_sudo: whether docker needs `sudo -n`; None to find out.
    """

    device: str
    transport: Transport
    root: str
    images: tuple[str, ...] = ()
    docker: str = ""
    docker_sudo: bool | None = None
    fleet: str = ""

    def close(self) -> None:
        """Close the connection, if there is one."""
        self.transport.close()


def build_targets(
    fleet: Fleet, hosts: Mapping[str, HostSpec], devices: Iterable[str]
) -> list[Target]:
    """A target by SSH for each of some devices; nothing is connected yet."""
    return [_target(fleet.inventory.name, fleet.devices[name], hosts[name]) for name in devices]


def _target(fleet: str, fleet_device: FleetDevice, host: HostSpec) -> Target:
    settings = fleet_device.device
    return Target(
        device=host.device,
        transport=SshTransport(ssh_settings(fleet_device)),
        root=host.root,
        images=host.images,
        docker=settings.docker.command or "",
        docker_sudo=settings.docker.sudo,
        fleet=fleet,
    )


def ssh_settings(fleet_device: FleetDevice) -> SshSettings:
    """How the inventory says to log in to a device."""
    ssh = fleet_device.device.ssh
    return SshSettings(
        host=ssh.host or fleet_device.device.address,
        port=ssh.port,
        user=ssh.user,
        identity_file=ssh.identity_file,
        known_hosts=ssh.known_hosts,
        host_key=ssh.host_key,
        connect_timeout=parse_duration(ssh.connect_timeout),
        proxy_jump=ssh.proxy_jump,
    )
