"""Making SSH connections; imported only when one is made, for paramiko is slow to be."""

from __future__ import annotations

import logging
import socket
import subprocess

import paramiko

from paisctl.errors import AuthenticationRefused, HostError, HostUnreachable
from paisctl.transports import SshSettings
from paisctl.transports.authentication import KeysWithoutPrompts
from paisctl.transports.hostkeys import StrictHostKeys
from paisctl.transports.keepalive import keep_alive
from paisctl.transports.openssh import ResolvedHost, resolve
from paisctl.transports.ssh import lost

_OPENING = 15  # seconds for a new channel
_PROHIBITED = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, RFC 4254, 5.1
_TCP = (socket.AF_INET, socket.AF_INET6)
_SILENCE = 60_000  # milliseconds until unanswered packets mean that the host is gone
# What paramiko says when it has waited for the other side's first line in vain.
_NO_BANNER = ("No existing session", "Error reading SSH protocol banner")

# Errors reach the user as exceptions; without this, Python prints paramiko's own log as well.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Connections:
    """The connection to a host, and those to the jump hosts that carry it; `name` is for people.

    Raises:
        HostError: the host, or a jump host, cannot be reached, refuses us, or has another key.
    """

    def __init__(self, settings: SshSettings) -> None:
        self.name = settings.host
        self._connections: list[paramiko.SSHClient] = []  # jump hosts first, the host last
        self._proxies: list[subprocess.Popen[bytes]] = []
        try:
            self.name = str(self._connect(settings))
        except BaseException:
            self.close()
            raise

    def start(self, command: str) -> paramiko.Channel:
        """Start a command in a new channel.

        Raises:
            ConnectionLost: the connection broke since it was made.
        """
        try:
            channel = _transport_of(self._connections[-1]).open_session(timeout=_OPENING)
            channel.exec_command(command)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise lost(self.name) from error
        else:
            return channel

    def forward(self, host: str, port: int) -> paramiko.Channel:
        """A channel to a port that the host connects to for us, as `ssh -W`.

        Raises:
            HostError: it cannot connect there, or must not.
        """
        connection = _transport_of(self._connections[-1])
        try:
            return connection.open_channel(
                "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=_OPENING
            )
        except paramiko.ChannelException as error:
            if error.code == _PROHIBITED:
                raise HostError(
                    f"sshd of {self.name} forwards no connections",
                    "on the host: `AllowTcpForwarding local` in /etc/ssh/sshd_config",
                ) from error
            raise HostError(f"nothing answers at {host}:{port}, asked from {self.name}") from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            if connection.is_active():
                raise HostError(f"{host}:{port} is silent, asked from {self.name}") from error
            raise lost(self.name) from error

    def close(self) -> None:
        for connection in reversed(self._connections):
            connection.close()
        for proxy in self._proxies:
            proxy.terminate()
            proxy.wait()

    def _connect(
        self, settings: SshSettings, gateway: paramiko.SSHClient | None = None
    ) -> ResolvedHost:
        """Connect to a host, its jump hosts first."""
        host = resolve(settings)
        if gateway is None:
            for jump in host.jumps:
                self._connect(jump, gateway)
                gateway = self._connections[-1]
        proxy = self._start_proxy(host.proxy_command) if host.proxy_command else None
        self._connections.append(paramiko.SSHClient())
        _open(self._connections[-1], host, gateway, proxy)
        return host

    def _start_proxy(self, command: str) -> socket.socket:
        """A socket that a ProxyCommand serves; paramiko's own class spins when the command ends."""
        ours, its = socket.socketpair()
        with its:
            self._proxies.append(
                subprocess.Popen(
                    ["sh", "-c", f"exec {command}"],
                    stdin=its.fileno(),
                    stdout=its.fileno(),
                    stderr=subprocess.DEVNULL,
                )
            )
        return ours


def _transport(
    sock: socket.socket, algorithms: list[str], options: dict[str, object]
) -> paramiko.Transport:
    """A transport that asks for a kind of host key we know, and notices a host that vanished."""
    user_timeout = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux has it
    if user_timeout is not None and getattr(sock, "family", None) in _TCP:
        sock.setsockopt(socket.IPPROTO_TCP, user_timeout, _SILENCE)
    transport = paramiko.Transport(sock, **options)  # type: ignore[arg-type]
    offered = transport.get_security_options()
    preferred = [name for name in algorithms if name in offered.key_types]
    offered.key_types = [*preferred, *(n for n in offered.key_types if n not in preferred)]
    return transport


def _open(
    connection: paramiko.SSHClient,
    host: ResolvedHost,
    gateway: paramiko.SSHClient | None,
    proxy: socket.socket | None,
) -> None:
    """Connect, verify the host key, authenticate; every failure as a HostError."""
    authentication = KeysWithoutPrompts(host)
    policy = StrictHostKeys(host)
    connection.set_missing_host_key_policy(policy)
    try:
        connection.connect(
            host.hostname,
            host.port,
            host.user,
            sock=_through(gateway, host) if gateway else proxy,
            timeout=host.connect_timeout,
            banner_timeout=host.connect_timeout,
            auth_strategy=authentication,
            transport_factory=lambda sock, **options: _transport(sock, policy.algorithms, options),
        )
    except HostError:
        raise
    except paramiko.AuthenticationException as error:
        raise _refused(connection, host, authentication) from error
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise _unreachable(host, error) from error
    if not _transport_of(connection).is_authenticated():
        raise AuthenticationRefused(
            f"{host} accepts our key, but wants a password or a code as well",
            f"allow a key alone for {host.user} in the host's sshd_config",
        )
    keep_alive(_transport_of(connection))


def _through(gateway: paramiko.SSHClient, host: ResolvedHost) -> paramiko.Channel:
    """A channel that a jump host leads to the host's sshd."""
    target = (host.hostname, host.port)
    return _transport_of(gateway).open_channel("direct-tcpip", target, ("", 0))


def _transport_of(connection: paramiko.SSHClient) -> paramiko.Transport:
    """The transport of a connection that has been opened."""
    transport = connection.get_transport()
    if transport is None:
        raise EOFError("the connection is closed")
    return transport


def _refused(
    connection: paramiko.SSHClient, host: ResolvedHost, authentication: KeysWithoutPrompts
) -> AuthenticationRefused:
    transport = connection.get_transport()
    banner = transport.get_banner() if transport else None
    tried = ", ".join(authentication.tried) or "no key, for there is none to try"
    said = f"; the host says: {banner.decode(errors='replace').strip()}" if banner else ""
    if authentication.locked:
        hint = f"a key file has a passphrase; put it into the agent: ssh-add {authentication.locked[0]}"
    else:
        hint = f"ssh-copy-id -p {host.port} {host.user}@{host.hostname}"
    return AuthenticationRefused(f"{host} refuses to let us in (tried {tried}){said}", hint)


def _unreachable(host: ResolvedHost, error: Exception) -> HostError:
    ssh = f"ssh -v -p {host.port} {host.user}@{host.hostname}"
    if isinstance(error, socket.gaierror):
        return HostUnreachable(
            f"{host} cannot be found: the name {host.hostname} has no address",
            f"ping {host.hostname}",
        )
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return HostError(f"{host} and paisctl have no algorithms in common: {error}", ssh)
    if isinstance(error, TimeoutError):
        return HostUnreachable(
            f"{host} did not answer within {host.connect_timeout:g} s",
            f"is it switched on, and are you in its network? ping {host.hostname}",
        )
    if isinstance(error, paramiko.ssh_exception.NoValidConnectionsError):
        return HostUnreachable(
            f"{host} cannot be reached: nothing accepts connections there",
            f"is sshd running on it, and is this its port? {ssh}",
        )
    if str(error) in _NO_BANNER:
        return HostUnreachable(
            f"{host} takes the connection, but says nothing within {host.connect_timeout:g} s",
            f"is it overloaded, or is only what stands before it awake? {ssh}",
        )
    reason = str(error) or "it closed the connection"
    return HostUnreachable(f"{host} cannot be reached: {reason}", ssh)
