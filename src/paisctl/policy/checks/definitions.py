"""What may be refused of groups, hosts, tags and the sections that name them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from paisctl.diagnostics import did_you_mean
from paisctl.policy.checks.problem import Control, Path, Problem
from paisctl.policy.document import Policy
from paisctl.policy.networks import INTERNET, networks_of
from paisctl.policy.selectors import ROLES

_TAG = re.compile(r"tag:[A-Za-z][A-Za-z0-9-]*")
_OWNERS = {f"autogroup:{role}" for role in (*ROLES, "member", "members", "tagged")}
_ON_HEADSCALE = ("autoapprovers", "nodeattrs", "randomizeclientport", "sshtests")


def definition_problems(policy: Policy, control: Control) -> Iterator[Problem]:
    """Everything foreseen about `groups`, `hosts`, `tagOwners`, `autoApprovers`, `nodeAttrs`."""
    yield from _groups(policy)
    yield from _hosts(policy)
    yield from _tags(policy, control)
    for name, section in policy.others.items():
        if control == "headscale" and name.lower() not in _ON_HEADSCALE:
            yield Problem(f'unknown field: "{name}"', (name,), "Headscale has no such section")
        elif name.lower() == "autoapprovers":
            yield from _approvers(policy, section, (name,))
        elif name.lower() == "nodeattrs":
            yield from _attributes(policy, section, (name,))


def _groups(policy: Policy) -> Iterator[Problem]:
    for group, members in policy.groups.items():
        path: Path = ("groups", group)
        if not group.startswith("group:") or group == "group:":
            yield Problem(f"group must start with 'group:', got: \"{group}\"", path)
        for i, member in enumerate(members):
            said = f'groups["{group}"]: "{member}"'
            if member.startswith("group:"):
                yield Problem(f"{said}: group members cannot be recursive", (*path, i))
            elif "@" not in member or "*" in member or member.startswith(("tag:", "autogroup:")):
                hint = "members are login names, as `name@example.com`"
                yield Problem(f"{said}: group members can only be users", (*path, i), hint)


def _hosts(policy: Policy) -> Iterator[Problem]:
    for name, address in policy.hosts.items():
        if not name or "@" in name or ":" in name or "/" in name or name == "*":
            yield Problem(f'hosts["{name}"]: invalid hostname', ("hosts", name))
        if address == INTERNET or not networks_of(address):
            said = f'hosts["{name}"]: hostname contains invalid IP address: "{address}"'
            yield Problem(said, ("hosts", name))


def _tags(policy: Policy, control: Control) -> Iterator[Problem]:
    for tag, owners in policy.tag_owners.items():
        path: Path = ("tagOwners", tag)
        if not tag.startswith("tag:"):
            yield Problem(f"tagOwners[\"{tag}\"]: tag must start with 'tag:'", path)
        elif not re.match(r"tag:[A-Za-z]", tag):
            said = f"tagOwners[\"{tag}\"]: tag names must start with a letter, after 'tag:'"
            yield Problem(said, path)
        elif not _TAG.fullmatch(tag):
            said = f'tagOwners["{tag}"]: tag names can only contain letters, numbers, and dashes'
            yield Problem(said, path)
        for i, owner in enumerate(owners):
            yield from _owner(policy, control, owner, (*path, i))


def _owner(policy: Policy, control: Control, owner: str, path: Path) -> Iterator[Problem]:
    if owner.startswith("autogroup:") and control == "headscale":
        hint = "Headscale takes users, groups and tags; no owner at all means its admins"
        yield Problem(f'invalid owner format: "{owner}"', path, hint)
    elif owner.startswith("autogroup:") and owner not in _OWNERS:
        yield Problem(f'"{owner}" cannot own a tag', path)
    else:
        yield from _named(policy, owner, path)


def _named(policy: Policy, name: str, path: Path) -> Iterator[Problem]:
    """What is wrong with a user, group, tag or autogroup outside of rules."""
    if name.startswith("tag:"):
        if name not in policy.tag_owners:
            hint = did_you_mean(name, policy.tag_owners, "tags")
            yield Problem(f'tag not found: "{name}"', path, hint)
    elif name.startswith("group:"):
        if name not in policy.groups and "@" not in name:
            hint = did_you_mean(name, policy.groups, "groups")
            yield Problem(f'group not found: "{name}"', path, hint)
    elif "@" not in name and not name.startswith("autogroup:") and name != "*":
        yield Problem(f'"{name}" is no user, group, tag or autogroup', path)


def _approvers(policy: Policy, section: Any, path: Path) -> Iterator[Problem]:
    data: dict[str, Any] = section if isinstance(section, dict) else {}
    routes = data.get("routes")
    for route, approvers in (routes if isinstance(routes, dict) else {}).items():
        if not networks_of(route):
            yield Problem(f'invalid route: "{route}"', (*path, "routes", route))
        yield from _all(policy, approvers, (*path, "routes", route))
    yield from _all(policy, data.get("exitNode"), (*path, "exitNode"))


def _attributes(policy: Policy, section: Any, path: Path) -> Iterator[Problem]:
    for i, entry in enumerate(section if isinstance(section, list) else ()):
        targets = entry.get("target") if isinstance(entry, dict) else None
        for j, name in enumerate(targets if isinstance(targets, list) else ()):
            if str(name).startswith(("tag:", "group:")):
                yield from _named(policy, name, (*path, i, "target", j))


def _all(policy: Policy, names: Any, path: Path) -> Iterator[Problem]:
    for i, name in enumerate(names if isinstance(names, list) else ()):
        yield from _named(policy, str(name), (*path, i))
