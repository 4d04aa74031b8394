"""Why somebody reaches something, or why nothing lets them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from paisctl.diagnostics import did_you_mean
from paisctl.errors import UsageError
from paisctl.inventory.load import Fleet
from paisctl.inventory.types import parse_port
from paisctl.policy.evaluate import Ref, Rules
from paisctl.policy.ports import number_of
from paisctl.policy.world import Node, person, tagged
from paisctl.rendering.tailnet.access import Door, Origin
from paisctl.rendering.tailnet.derive import Derived


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that allows something: its place in the policy, its title, and what asked for it."""

    rule: Ref
    title: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a source gets through a door, and why; or, in words, why not.

    `services` are the names of what is known to listen there.
    """

    source: str
    door: Door
    services: tuple[str, ...]
    reasons: tuple[Reason, ...] = ()
    why_not: str = ""

    @property
    def is_allowed(self) -> bool:
        return not self.why_not


class Explainer:
    """Answers questions about a derived policy, in the inventory's words."""

    def __init__(self, derived: Derived, fleet: Fleet) -> None:
        self._derived = derived
        self._fleet = fleet
        self._rules = Rules(derived.policy, derived.world)
        self._nodes = {node.name: node for node in derived.world.nodes}

    def explain(self, source: str, target: str) -> list[Answer]:
        """Ask about one source and one target.

        Args:
            source: a device, a login, a role or its group, a tag, or an address.
            target: a device or a service, perhaps with `:PORT` or `:SERVICE`.

        Raises:
            UsageError: one of them does not exist.
        """
        sources, doors = list(self._sources(source)), self._doors(target)
        if not doors:
            raise UsageError(
                f"nothing is known to listen on {target}", f"name a port: {target}:PORT"
            )
        if not sources:
            raise UsageError(f"nobody has the role {source}", "name a person or a device")
        return [self._answer(node, door) for door in doors for node in sources]

    def _answer(self, node: Node, door: Door) -> Answer:
        services = self._derived.services.get(door, ())
        if node.name == door.device:
            return Answer(node.name, door, services)
        refs = self._rules.reasons(node, self._nodes[door.device], door.port, door.protocol)
        reasons = tuple(reason for ref in refs for reason in self._reasons(ref, node, door))
        why_not = "" if reasons else self._why_not(node, is_known=bool(services))
        return Answer(node.name, door, services, reasons, why_not)

    def _why_not(self, node: Node, *, is_known: bool) -> str:
        if not is_known:
            return "nothing is known to listen there, and no rule names it"
        user = next((u for u in self._fleet.inventory.users if u.id == node.owner), None)
        if user:
            services = self._fleet.inventory.roles[user.role].services
            if "*" in services:
                return f"the role {user.role} may use all exports but those for peers, and this is none"
            return f"the role {user.role} may use: {', '.join(services) or 'nothing'}"
        if node.name in self._nodes:
            return f"nothing on {node.name} declares that it connects to it"
        return "no rule is about it"

    def _reasons(self, ref: Ref, node: Node, door: Door) -> Iterator[Reason]:
        rule = self._derived.rules[ref]
        for selector in self._selectors(node):
            if (selector, door) in rule.access:
                yield Reason(ref, rule.title, rule.access[selector, door])
        if rule.by_hand:
            yield Reason(ref, rule.title, rule.by_hand)

    def _selectors(self, node: Node) -> list[str]:
        """What derived rules may call a source."""
        groups = [g for g, logins in self._derived.policy.groups.items() if node.owner in logins]
        own = self._derived.names.devices.get(node.name)
        return [*dict.fromkeys([*groups, *sorted(node.tags), *([own] if own else [])])]

    def _sources(self, text: str) -> Iterable[Node]:
        groups = self._derived.policy.groups
        logins = {user.id.casefold(): user.id for user in self._fleet.inventory.users}
        if text in self._nodes:
            return [self._nodes[text]]
        if text.casefold() in logins:
            return [person(logins[text.casefold()])]
        is_role = text in self._fleet.inventory.roles
        group = self._derived.names.group(text) if is_role else text
        if is_role or group in groups:
            return map(person, groups.get(group, ()))
        if text in self._derived.policy.tag_owners:
            return [self._tagged(text)]
        node = self._by_address(text)
        if node:
            return [node]
        carriers = self._derived.names.expand([text])
        if carriers != (text,):
            selectors = self._derived.names.devices
            return [each for name, each in self._nodes.items() if selectors[name] in carriers]
        known = [*self._nodes, *logins.values(), *self._fleet.inventory.roles, *groups]
        hint = did_you_mean(text, known, "devices, users and roles")
        raise UsageError(f"there is no `{text}` that could reach something", hint)

    def _tagged(self, tag: str) -> Node:
        carrying = [node for node in self._nodes.values() if tag in node.tags]
        return carrying[0] if carrying else tagged(tag)

    def _by_address(self, text: str) -> Node | None:
        try:
            address = str(ipaddress.ip_address(text))
        except ValueError:
            return None
        known = (node for node in self._nodes.values() if address in node.addresses)
        return next(known, Node(address, (address,)))

    def _doors(self, target: str) -> list[Door]:
        services = self._derived.services
        name, _, port = target.rpartition(":") if ":" in target else (target, "", "")
        if self._device(target):
            name, port = target, ""
        device = self._device(name)
        if device is None and not port:
            found = [door for door, called in services.items() if name in called]
            if found:
                return found
        if device is None:
            known = {*self._nodes, *chain.from_iterable(services.values())}
            hint = did_you_mean(name, known, "devices and services")
            raise UsageError(f"there is no device or service `{name}`", hint)
        if not port:
            return [door for door in services if door.device == device]
        named = [d for d, called in services.items() if d.device == device and _is(port, called)]
        return named or [self._port(device, port)]

    def _port(self, device: str, text: str) -> Door:
        number, _, protocol = text.partition("/")
        try:
            port = parse_port(int(number) if number.isdecimal() else number)
            number_of(protocol or "tcp")
        except ValueError as error:
            raise UsageError(
                str(error), "write DEVICE:PORT, DEVICE:PORT/udp or DEVICE:SERVICE"
            ) from None
        return Door(device, protocol or "tcp", port)

    def _device(self, name: str) -> str | None:
        domain = self._fleet.inventory.tailnet.dns_name
        short = name.removesuffix(f".{domain}")
        if short in self._nodes:
            return short
        node = self._by_address(name)
        return node.name if node and node.name in self._nodes else None


def _is(name: str, called: Iterable[str]) -> bool:
    """Whether a port that is called something, or has several names, may be meant by a name."""
    return any(name in (each, *each.split()) for each in called)
