"""Devices of the inventory as machines of the tailnet: what is expected, and tags that are missing."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from paisctl.errors import BadPolicy, CredentialsRefused, TailnetError
from paisctl.inventory.load import Fleet
from paisctl.policy.access import compare
from paisctl.policy.document import Policy, digest
from paisctl.policy.hujson import uncommented
from paisctl.policy.text import read, stamp_of
from paisctl.policy.world import Node, World
from paisctl.rendering.tailnet.derive import Derived
from paisctl.rendering.tailnet.words import AccessWords
from paisctl.tailnet.applying import require_ended
from paisctl.tailnet.control import ControlPlane, LivePolicy, TailnetDevice
from paisctl.tailnet.devices import DeviceFinding, Expected, Kind, compare_devices

TAGS = (Kind.UNTAGGED, Kind.WRONG_TAGS)
_TAG_OWNERS = re.compile(r'"tagOwners"\s*:\s*\{')


def expected_devices(fleet: Fleet, derived: Derived) -> list[Expected]:
    """What the tailnet should have: a tag of its own for each device that belongs to nobody."""
    tags = {node.name: node.tags for node in derived.world.nodes}
    return [
        Expected(name, device.device.address, tags[name], device.device.owner or "")
        for name, device in fleet.devices.items()
    ]


def compare_with_tailnet(
    control: ControlPlane, fleet: Fleet, derived: Derived
) -> tuple[DeviceFinding, ...]:
    """What is the matter with the tailnet's machines."""
    expected = expected_devices(fleet, derived)
    return compare_devices(expected, control.devices(), datetime.now(UTC))


def notes_on_tags(control: ControlPlane, fleet: Fleet, derived: Derived) -> tuple[str, ...]:
    """A warning for a plan: rules about tags are not about machines that do not carry them."""
    try:
        found = compare_with_tailnet(control, fleet, derived)
    except CredentialsRefused as refused:
        return (f"the tailnet's machines were not compared: {refused.message}",)
    names = [finding.device for finding in found if finding.kind in TAGS]
    if not names:
        return ()
    listed = ", ".join(names)
    return (f"no rule is about {listed} until their tags are set: first `paisctl devices tag`",)


class Tagging:
    """Giving machines the tags that the policy knows them by.

    Args:
        control: the control plane.
        fleet: the devices.
        derived: the policy that should be.
    """

    def __init__(self, control: ControlPlane, fleet: Fleet, derived: Derived) -> None:
        self._control, self._fleet, self._derived = control, fleet, derived
        self._machines = control.devices()
        expected = expected_devices(fleet, derived)
        self._tags = {device.name: device.tags for device in expected}
        self._found = compare_devices(expected, self._machines, datetime.now(UTC))

    def wrong(self, devices: Collection[str]) -> list[DeviceFinding]:
        """Which of some devices do not carry the tags that they should."""
        return [
            f
            for f in self._found
            if f.kind in TAGS and f.device in devices and self._tags[f.device]
        ]

    def losses(self, wrong: Sequence[DeviceFinding]) -> tuple[str, ...]:
        """Who will no longer reach what, under the policy in force, as soon as these are tagged."""
        devices = {finding.id: finding.device for finding in wrong}
        now, then = (
            World(tuple(self._node(machine, devices, is_tagged=t) for machine in self._machines))
            for t in (False, True)
        )
        policy = _in_force(self._control)[0]
        lost = (c for c in compare(policy, policy, now, then) if c.target in devices.values())
        return AccessWords(self._derived).of(lost)[1]

    def _node(self, machine: TailnetDevice, devices: Mapping[str, str], *, is_tagged: bool) -> Node:
        name = devices.get(machine.id, machine.name)
        is_changed = is_tagged and machine.id in devices
        tags = self._tags[name] if is_changed else frozenset(machine.tags)
        return Node(name, machine.addresses, tags, machine.user)

    def tag(self, wrong: Sequence[DeviceFinding]) -> Iterator[str]:
        """Tag machines, and say of each what was done; the policy comes to know the tags first.

        Raises:
            TailnetError: what was not said was not done.
        """
        tags = sorted(tag for finding in wrong for tag in self._tags[finding.device])
        for added in require_tags(self._control, self._fleet, self._derived, tags):
            yield f"the policy now knows {added}"
        for finding in wrong:
            wanted = sorted(self._tags[finding.device])
            self._control.set_tags(finding.id, wanted)
            yield f"{finding.device} is tagged {', '.join(wanted)}"


def require_tags(
    control: ControlPlane, fleet: Fleet, derived: Derived, tags: Collection[str]
) -> tuple[str, ...]:
    """Have the policy in force know some tags, which no machine can be given before.

    A policy that paisctl has written gets them by `paisctl acl apply`. To another one their owners
    are added, and nothing else: no rule changes.

    Returns:
        The tags that were added.

    Raises:
        TailnetError: it has to be done by hand, or by `paisctl acl apply`.
        PaisctlError: a change of the policy was cut short.
    """
    require_ended(fleet)
    policy, live = _in_force(control)
    missing = {t: derived.policy.tag_owners[t] for t in tags if t not in policy.tag_owners}
    if not missing:
        return ()
    if stamp_of(live.text) == digest(policy):
        names = ", ".join(missing)
        raise TailnetError(f"the policy does not know {names} yet", "first: paisctl acl apply")
    wanted = replace(policy, tag_owners={**policy.tag_owners, **missing})
    text = _with_owners(live.text, missing)
    if read(text) != wanted:
        raise TailnetError(
            "the tags cannot be added to the policy without rewriting it",
            f'add to its "tagOwners" by hand: {json.dumps({t: [*o] for t, o in missing.items()})}',
        )
    control.set_policy(text, live.etag)
    return tuple(missing)


def _with_owners(text: str, owners: Mapping[str, tuple[str, ...]]) -> str:
    """The text with entries added where its tag owners begin, or else where it begins itself."""
    entries = "".join(f"\n    {json.dumps(t)}: {json.dumps(o)}," for t, o in owners.items())
    plain = uncommented(text)  # the policy of a new tailnet has examples in its comments
    found = _TAG_OWNERS.search(plain)
    place = found.end() if found else plain.index("{") + 1
    added = entries if found else f'\n  "tagOwners": {{{entries}\n  }},'
    return f"{text[:place]}{added}{text[place:]}"


def _in_force(control: ControlPlane) -> tuple[Policy, LivePolicy]:
    live = control.policy()
    try:
        return read(live.text), live
    except BadPolicy as bad:
        raise TailnetError(f"the policy in force: {bad.message}") from bad
