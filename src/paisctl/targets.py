"""The hosts of a fleet as things to connect to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from types import MappingProxyType

from paisctl.desired import HostSpec
from paisctl.inventory.load import Fleet, FleetDevice
from paisctl.inventory.types import parse_duration
from paisctl.threads import start_thread
from paisctl.timings import at_host
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
        connected: is done once the transport, which is being connected, is or has failed to.
    """

    device: str
    transport: Transport
    root: str
    images: tuple[str, ...] = ()
    docker: str = ""
    docker_sudo: bool | None = None
    fleet: str = ""
    connected: Future[None] | None = None

    def connect(self) -> None:
        """Connect, or wait for what has been begun.

        Raises:
            HostError: as `Transport.connect` does.
        """
        if self.connected is None:
            self.transport.connect()
        else:
            self.connected.result()

    def close(self) -> None:
        """Close the connection, if there is one."""
        self.transport.close()


def build_targets(
    fleet: Fleet,
    hosts: Mapping[str, HostSpec],
    devices: Iterable[str],
    begun: Mapping[str, Connecting] = MappingProxyType({}),
) -> list[Target]:
    """A target by SSH for each of some devices; connected to are only those where that has `begun`."""
    return [_target(fleet, hosts[name], begun.get(name)) for name in devices]


@dataclass(frozen=True)
class Connecting:
    """A transport that is being connected, and when that is done."""

    transport: Transport
    connected: Future[None]


def begin_to_connect(fleet: Fleet, devices: Iterable[str]) -> dict[str, Connecting]:
    """Connect to devices, all at once, while the caller does something else."""
    return {name: _begin(name, ssh_settings(fleet.devices[name])) for name in devices}


def _begin(device: str, settings: SshSettings) -> Connecting:
    transport = SshTransport(settings)

    def connect(device: str) -> None:
        with at_host("connect", device):
            transport.connect()

    return Connecting(transport, start_thread(connect, device))


def _target(fleet: Fleet, host: HostSpec, begun: Connecting | None) -> Target:
    fleet_device = fleet.devices[host.device]
    settings = fleet_device.device
    return Target(
        device=host.device,
        transport=begun.transport if begun else SshTransport(ssh_settings(fleet_device)),
        root=host.root,
        images=host.images,
        docker=settings.docker.command or "",
        docker_sudo=settings.docker.sudo,
        fleet=fleet.inventory.name,
        connected=begun.connected if begun else None,
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
