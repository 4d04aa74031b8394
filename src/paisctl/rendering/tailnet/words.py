"""The derived policy in words: its text with comments, its ports by the names of services."""

from __future__ import annotations

from collections.abc import Iterable

from paisctl.policy.access import AccessChange
from paisctl.policy.ports import TCP, UDP, WHOLE, PortSet
from paisctl.policy.text import write
from paisctl.rendering.tailnet.derive import Derived

_PORTS = PortSet.of((TCP, UDP), WHOLE)
_MANY = 1000  # ports in a row: then it is shorter to say which are not meant


def policy_text(fleet: str, derived: Derived) -> str:
    """The policy as it is sent to the control plane: each rule below the reason for it."""
    heading = [
        f"The access policy of `{fleet}`, written by paisctl from its inventory.",
        "Change the inventory instead: `paisctl acl apply` undoes what is edited here.",
    ]
    comments = {place: rule.title for place, rule in derived.rules.items()}
    return write(derived.policy, heading, comments)


class AccessWords:
    """Says who gains and who loses what, with the names of the services behind the ports."""

    def __init__(self, derived: Derived) -> None:
        self._services = derived.services
        self._devices = {selector: name for name, selector in derived.names.devices.items()}
        self._names = set(derived.names.devices)

    def of(self, changes: Iterable[AccessChange]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is gained and what is lost, a line for all who gain or lose the same."""
        listed = list(changes)
        gains = self._lines((c.source, c.target, c.gained) for c in listed if c.gained)
        losses = self._lines((c.source, c.target, c.lost) for c in listed if c.lost)
        return gains, losses

    def _lines(self, access: Iterable[tuple[str, str, PortSet]]) -> tuple[str, ...]:
        """Lines of full products: who, what, which ports."""
        targets: dict[tuple[str, str], set[str]] = {}
        for source, target, ports in access:
            said = self._ports(target, ports)
            targets.setdefault((self._called(source), said), set()).add(self._called(target))
        sources: dict[tuple[tuple[str, ...], str], list[str]] = {}
        for (source, said), reached in targets.items():
            # Nobody needs the tailnet to reach themselves: with that, many lines become one.
            own = {source} & self._names if len(reached) > 1 else set[str]()
            sources.setdefault((tuple(sorted(reached | own)), said), []).append(source)
        return tuple(
            f"{', '.join(who)} → {self._several(reached, who)}: {said}"
            for (reached, said), who in sources.items()
        )

    def _several(self, targets: tuple[str, ...], sources: list[str]) -> str:
        others = [target for target in targets if target not in self._names]
        left = sorted(self._names.difference(targets))
        if len(left) > len(targets) // 4:
            alone = sources[0] if len(sources) == 1 else ""
            return ", ".join(target for target in targets if target != alone)
        devices = f"every device but {', '.join(left)}" if left else "every device"
        return f"{devices}, and {', '.join(others)}" if others else devices

    def _ports(self, target: str, ports: PortSet) -> str:
        """Ports of a device, with the names of what listens there: `tcp 3001 (anythingllm)`."""
        rest = _PORTS - ports
        if not rest:
            return "everything"
        if any(last - first > _MANY for _, spans in ports.spans for first, last in spans):
            return f"everything but {rest}{self._named(target, rest)}"
        return f"{ports}{self._named(target, ports)}"

    def _named(self, target: str, ports: PortSet) -> str:
        device = self._called(target)
        names = [
            " or ".join(called)
            for door, called in self._services.items()
            if door.device == device and ports.contains(door.port, door.protocol)
        ]
        return f" ({', '.join(names)})" if names else ""

    def _called(self, selector: str) -> str:
        return self._devices.get(selector, selector)
