"""One member of a stateful stack: its service's ports, its containers and its host."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from paisctl.cluster.tunnel import TunnelTransport
from paisctl.errors import ConnectionLost, HostError, UnexpectedAnswer
from paisctl.observed import HostFacts
from paisctl.rendering.instances import Instance
from paisctl.secrets import Vault
from paisctl.targets import Target
from paisctl.transports import Channel, Completed, Stream

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_LABEL = "--filter label=com.docker.compose."


class Member(Protocol):
    """A stack on one device, as drivers see it. All methods raise HostError where the host fails."""

    @property
    def device(self) -> str:
        """The device it is on."""

    @property
    def arch(self) -> str:
        """The device's architecture, as image platforms name it: `amd64`."""

    def setting(self, name: str) -> Any:
        """The value of one of the stack's `vars` on this device; a secret's value is revealed."""

    def url(self, port: str) -> str:
        """The address of one of the stack's ports, as the other devices know it."""

    def client(self, port: str) -> httpx.Client:
        """A client whose base URL is that port; its connections are made from the host.

        It raises httpx's errors. Whoever asks for it closes it.
        """

    def run(self, service: str, command: Sequence[str], stdin: bytes = b"") -> Completed:
        """Run a command in the service's running container."""

    def open(self, service: str, command: Sequence[str]) -> Channel:
        """The same, to talk with: what it prints may be more than fits into memory."""

    def beside(self, service: str, command: Sequence[str]) -> Completed:
        """Run a command as root in a new container with the image and volumes of the service's.

        The service's container need not run, but it has to exist. The new one has no network.
        """

    def inspect(self, service: str) -> dict[str, Any]:
        """What `docker inspect` says about the service's container; empty if there is none."""

    def stop(self, service: str) -> None:
        """Stop the service's container, if it runs, so that it stays stopped until it is started."""

    def on_host(self, command: str, stdin: bytes = b"") -> Completed:
        """Run a POSIX shell command on the host, as the login."""


@dataclass(frozen=True)
class HostMember:
    """A member that is reached by SSH.

    Args:
        instance: the stack on the device, as the inventory has it.
        target: its host; the connection is made anew when it was lost.
        facts: how to call docker there.
        vault: the values of secrets.
    """

    instance: Instance
    target: Target
    facts: HostFacts
    vault: Vault

    @property
    def device(self) -> str:
        return self.target.device

    @property
    def arch(self) -> str:
        return self.instance.device.device.arch

    def setting(self, name: str) -> Any:
        value = self.instance.vars[name]
        return self.vault.reveal(value) if isinstance(value, str) else value

    def url(self, port: str) -> str:
        return self.instance.ports[port].url

    def client(self, port: str) -> httpx.Client:
        return httpx.Client(
            base_url=self.url(port), transport=TunnelTransport(self._dial), timeout=_TIMEOUT
        )

    def run(self, service: str, command: Sequence[str], stdin: bytes = b"") -> Completed:
        return self.on_host(self._in_container(service, command), stdin)

    def open(self, service: str, command: Sequence[str]) -> Channel:
        try:
            return self.target.transport.open(self._in_container(service, command))
        except ConnectionLost:
            self.target.close()
            raise

    def beside(self, service: str, command: Sequence[str]) -> Completed:
        program, *arguments = command
        docker = shlex.join(self.facts.docker)
        script = (
            f'container=$({self._find(service)}) && [ "$container" ] || exit 1\n'
            f"image=$({docker} inspect --format '{{{{.Image}}}}' \"$container\") || exit 1\n"
            f'exec {docker} run --rm --network none --user 0:0 --volumes-from "$container" '
            f'--entrypoint {shlex.quote(program)} "$image" {shlex.join(arguments)}'
        )
        return self.on_host(script)

    def inspect(self, service: str) -> dict[str, Any]:
        docker = shlex.join(self.facts.docker)
        script = (
            f"container=$({self._find(service)}) || exit\n"
            f'[ -z "$container" ] || exec {docker} inspect --type container "$container"'
        )
        output = checked(self.on_host(script), f"{self.device}: docker inspect")
        try:
            [described] = json.loads(output or "[{}]")
        except ValueError as error:
            raise UnexpectedAnswer(f"{self.device}: docker inspect: {error}") from error
        return dict(described)

    def stop(self, service: str) -> None:
        docker = shlex.join(self.facts.docker)
        script = (
            f"container=$({self._find(service)}) || exit\n"
            f'[ -z "$container" ] || exec {docker} stop "$container"'
        )
        checked(self.on_host(script), f"{self.device}: docker stop")

    def on_host(self, command: str, stdin: bytes = b"") -> Completed:
        try:
            return self.target.transport.run(f"sh -c {shlex.quote(command)}", stdin)
        except ConnectionLost:
            self.target.close()
            raise

    def _in_container(self, service: str, command: Sequence[str]) -> str:
        docker = shlex.join(self.facts.docker)
        script = (
            f'container=$({self._find(service)}) && [ "$container" ] && '
            f'exec {docker} exec -i "$container" "$@"; '
            f'echo "no container of {service} runs" >&2; exit 125'
        )
        return f"sh -c {shlex.quote(script)} sh {shlex.join(command)}"

    def _find(self, service: str) -> str:
        of_service = (
            f"{_LABEL}project={self.instance.name} {_LABEL}service={service} {_LABEL}oneoff=False"
        )
        return f"{shlex.join(self.facts.docker)} ps --all --quiet {of_service} | head -n 1"

    def _dial(self, host: str, port: int) -> Stream:
        try:
            return self.target.transport.dial(host, port)
        except ConnectionLost:
            self.target.close()
            raise


def said(done: Completed) -> str:
    """The last line that a command printed, errors first; for messages."""
    for text in (done.stderr, done.stdout):
        if lines := text.decode("utf-8", "replace").strip().splitlines():
            return lines[-1]
    return f"exit status {done.exit_status}"


def checked(done: Completed, what: str) -> bytes:
    """What a command printed.

    Raises:
        HostError: it failed; the message begins with `what`.
    """
    if done.exit_status:
        raise HostError(f"{what}: {said(done)}")
    return done.stdout
