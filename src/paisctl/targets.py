"""The hosts of a fleet as things to connect to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from types import MappingProxyType

from paisctl.desired import HostSpec
from paisctl.hostside import COMMAND, probe_text
from paisctl.inventory.load import Fleet, FleetDevice
from paisctl.inventory.types import parse_duration
from paisctl.threads import start_thread
from paisctl.timings import at_host
from paisctl.transports import Channel, SshSettings, Transport
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
    fleet: Fleet,
    hosts: Mapping[str, HostSpec],
    devices: Iterable[str],
    begun: Mapping[str, Begun] = MappingProxyType({}),
) -> list[Target]:
    """A target by SSH for each of some devices; connected to are only those that have `begun`."""
    return [_target(fleet, hosts[name], begun.get(name)) for name in devices]


@dataclass(frozen=True)
class Begun:
    """A host that is being read already.

    Attributes:
        transport: the connection to it.
        probe: the program that reads it, once that runs there; or why it does not.
    """

    transport: Transport
    probe: Future[Channel]


def begin_to_read(fleet: Fleet, devices: Iterable[str], *, texts: bool = False) -> dict[str, Begun]:
    """Have hosts read themselves, all at once, while the caller does something else.

    Args:
        fleet: the inventory, which need not be rendered yet.
        devices: the hosts.
        texts: whether to read the files' contents, too, for showing differences.
    """
    # At full speed, while nothing competes for the interpreter: nobody can connect before.
    import paisctl.transports.connection  # noqa: F401, PLC0415

    return {name: _begin(fleet.devices[name], texts=texts) for name in devices}


def _begin(fleet_device: FleetDevice, *, texts: bool) -> Begun:
    device, docker = fleet_device.device, fleet_device.device.docker
    transport = SshTransport(ssh_settings(fleet_device))
    program = probe_text(device.root, docker.command or "", docker.sudo, texts=texts)

    def begin(name: str) -> Channel:
        with at_host("connect", name):
            transport.connect()
        return start(transport, program)

    return Begun(transport, start_thread(begin, fleet_device.name))


def start(transport: Transport, program: str) -> Channel:
    """Start a shell program, which the host reads from stdin.

    Raises:
        HostError: as `Transport.open` does.
    """
    channel = transport.open(COMMAND)
    channel.write(program.encode("utf-8", "surrogateescape"))
    return channel


def _target(fleet: Fleet, host: HostSpec, begun: Begun | None) -> Target:
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
    )


def ssh_settings(fleet_device: FleetDevice) -> SshSettings:
    """How the inventory says to log in to a device; who may be asleep is not waited for so long."""
    ssh = fleet_device.device.ssh
    patience = "10s" if fleet_device.device.required else "5s"
    return SshSettings(
        host=ssh.host or fleet_device.device.address,
        port=ssh.port,
        user=ssh.user,
        identity_file=ssh.identity_file,
        known_hosts=ssh.known_hosts,
        host_key=ssh.host_key,
        connect_timeout=parse_duration(ssh.connect_timeout or patience),
        proxy_jump=ssh.proxy_jump,
    )
