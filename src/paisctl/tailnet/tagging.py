"""Devices of the inventory as machines of the tailnet: what is expected, and tags that are missing."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from paisctl.errors import BadPolicy, CredentialsRefused, TailnetError
from paisctl.inventory.load import Fleet
from paisctl.policy.document import digest
from paisctl.policy.hujson import uncommented
from paisctl.policy.text import read, stamp_of
from paisctl.rendering.tailnet.derive import Derived
from paisctl.tailnet.control import ControlPlane
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


def require_tags(control: ControlPlane, derived: Derived, tags: Collection[str]) -> tuple[str, ...]:
    """Have the policy in force know some tags, which no machine can be given before.

    A policy that paisctl has written gets them by `paisctl acl apply`. To another one their owners
    are added, and nothing else: no rule changes.

    Returns:
        The tags that were added.

    Raises:
        TailnetError: it has to be done by hand, or by `paisctl acl apply`.
    """
    live = control.policy()
    try:
        policy = read(live.text)
    except BadPolicy as bad:
        raise TailnetError(f"the policy in force: {bad.message}") from bad
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
