"""Who reaches what by a derived policy: asked of paisctl's evaluator and of the tests' packet filter.

Both are given the same tailnet, which is built here from the inventory and not by paisctl: each device
of nobody with a tag, each person with a phone, each tag from outside with a machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property

from paisctl.inventory.load import Fleet
from paisctl.pipeline import Desired
from paisctl.policy.document import Policy, document
from paisctl.policy.evaluate import Rules
from paisctl.policy.world import Node, World
from paisctl.rendering.tailnet.words import policy_text
from tests.controlplane import hujson
from tests.controlplane.dialect import HEADSCALE, TAILSCALE
from tests.controlplane.packet_filter import compile_policy
from tests.controlplane.policy_file import PolicyFile
from tests.controlplane.tailnet import Device, Tailnet, User

Question = tuple[str, str, int, str]  # source, device, port, protocol
BESIDE = (1, 22, 80, 111, 2049, 6335, 65535)  # ports that are asked for on every device


def tag(device: str) -> str:
    return f"tag:{device}" if device[0].isalpha() else f"tag:device-{device}"


def machines(fleet: Fleet) -> tuple[Device, ...]:
    """The tailnet's devices: those of the inventory, and one for everybody else who has rules."""
    devices = [
        Device(
            name,
            (each.device.address,),
            () if each.device.owner else (tag(name),),
            each.device.owner or "",
        )
        for name, each in fleet.devices.items()
    ]
    phones = [
        Device(user.id, _addresses(1, n), user=user.id)
        for n, user in enumerate(fleet.inventory.users)
    ]
    others = [
        Device(f"tag:{name}", _addresses(2, n), (f"tag:{name}",))
        for n, name in enumerate(fleet.inventory.tailnet.tags)
    ]
    return (*devices, *phones, *others)


def _addresses(high: int, number: int) -> tuple[str, str]:
    """Of both families, as all that joins a tailnet has them."""
    return (
        f"100.{100 + high}.{number // 200}.{number % 200 + 1}",
        f"fd7a:115c:a1e0:{high}::{number:x}",
    )


class Asked:
    """A derived policy in a tailnet, for questions.

    Sources are devices by name, people by login, and tags from outside.
    """

    def __init__(self, desired: Desired) -> None:
        self.desired = desired
        self.fleet = desired.fleet
        self.policy: Policy = desired.tailnet.policy
        users = tuple(User(user.id) for user in self.fleet.inventory.users)
        self.tailnet = Tailnet(machines(self.fleet), users)
        self.sources = [device.name for device in self.tailnet.devices]
        self._addresses = {device.name: device.addresses for device in self.tailnet.devices}
        self._filter = compile_policy(document(self.policy), self.tailnet)
        nodes = {
            d.name: Node(d.name, d.addresses, frozenset(d.tags), d.user)
            for d in self.tailnet.devices
        }
        self._nodes = nodes
        self._rules = Rules(self.policy, World(tuple(nodes.values())))

    @cached_property
    def text(self) -> str:
        return policy_text(self.fleet.inventory.name, self.desired.tailnet)

    def is_taken(self) -> hujson.Document:
        """The control plane of the tests takes the policy, with comments and without, and its tests.

        Raises:
            Refused: it does not.
        """
        dialect = {"tailscale": TAILSCALE, "headscale": HEADSCALE}[
            self.fleet.inventory.tailnet.control
        ]
        file = PolicyFile("{}", self.tailnet, dialect)
        file.checked(json.dumps(document(self.policy)))
        return file.checked(self.text)

    def questions(self) -> list[Question]:
        """Every source with every port of every device that anything is known of."""
        known = {(door.port, door.protocol) for door in self.desired.tailnet.services}
        ports = sorted(known | {(port, "tcp") for port in BESIDE} | {(53, "udp")})
        return [
            (source, device, port, protocol)
            for source in self.sources
            for device in self.fleet.devices
            for port, protocol in ports
            if device != source
        ]

    def ours(self, question: Question) -> bool:
        source, device, port, protocol = question
        return bool(self._rules.reasons(self._nodes[source], self._nodes[device], port, protocol))

    def theirs(self, question: Question) -> bool:
        source, device, port, protocol = question
        ends = self._addresses[source], self._addresses[device]
        return self._filter.connects(*ends, port, protocol)

    def allowed(self, questions: Iterable[Question] | None = None) -> set[Question]:
        """What of the questions is allowed; both evaluators must say the same."""
        asked = self.questions() if questions is None else list(questions)
        ours = {question for question in asked if self.ours(question)}
        theirs = {question for question in asked if self.theirs(question)}
        assert ours == theirs, f"only ours: {ours - theirs}; only theirs: {theirs - ours}"
        return ours
