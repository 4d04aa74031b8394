"""Taking a member out of use in the load balancers before it is changed, and back afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paisctl.cluster.driver import Obstacle
from paisctl.cluster.member import HostMember, said
from paisctl.errors import HostError
from paisctl.rendering.bundle import Balances

_EVERY = 0.5  # seconds
_IDLE, _BUSY = 0, 3  # exit statuses of the `idle` command (rendering/bundle.py)


@dataclass(frozen=True)
class Reached:
    """A load balancer on a host that can be asked."""

    host: HostMember
    commands: Balances

    def __str__(self) -> str:
        return f"{self.host.instance.name} on {self.host.device}"

    def tell(self, command: Sequence[str], device: str) -> None:
        """Run one of its commands for a member.

        Raises:
            HostError: it failed.
        """
        done = self.host.run(self.commands.service, [*command, device])
        if done.exit_status:
            raise HostError(
                f"{self} does not take orders: {said(done)}",
                f"paisctl apply {self.host.device} --stack {self.host.instance.name}",
            )

    def is_idle(self, device: str) -> bool:
        """Whether it has nothing to do with a member any more.

        Raises:
            HostError: it cannot tell.
        """
        done = self.host.run(self.commands.service, [*self.commands.idle, device])
        if done.exit_status not in (_IDLE, _BUSY):
            raise HostError(
                f"{self} does not say what {device} has to do: {said(done)}",
                f"paisctl apply {self.host.device} --stack {self.host.instance.name}",
            )
        return done.exit_status == _IDLE


def check(balancers: Sequence[Reached], devices: Sequence[str]) -> list[Obstacle]:
    """Load balancers that could not be told to drain. Changes nothing."""
    found = []
    for balancer in balancers:
        try:
            for device in devices:
                balancer.is_idle(device)
        except HostError as error:
            found.append(Obstacle(error.message, error.hint or "", balancer.host.device))
    return found


def drain(
    balancers: Sequence[Reached],
    device: str,
    timeout: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Give a member nothing new, and wait until it has nothing to do.

    Args:
        balancers: those that distribute to it.
        device: the member.
        timeout: seconds to wait; what lasts longer, as open gRPC connections do, is cut with it.
        clock: the time in seconds.
        sleep: waits for some seconds.

    Returns:
        The balancers that still had something to do.

    Raises:
        HostError: one of them does not take orders.
    """
    for balancer in balancers:
        balancer.tell(balancer.commands.drain, device)
    deadline = clock() + timeout
    busy = [each for each in balancers if not each.is_idle(device)]
    while busy and clock() < deadline:
        sleep(_EVERY)
        busy = [each for each in busy if not each.is_idle(device)]
    return [str(each) for each in busy]


def use_again(balancers: Sequence[Reached], device: str) -> None:
    """Use a member again.

    Raises:
        HostError: a balancer does not take orders.
    """
    for balancer in balancers:
        balancer.tell(balancer.commands.ready, device)
