"""What a control plane refuses in a policy, in its own words.

The texts were captured from the control plane (headscale, hscontrol/policy/v2/testdata, answers with
`api_response_code` 400). Where a case was not captured the text follows those of its kind: the tests
of this package mark which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.controlplane import ports
from tests.controlplane.dialect import Dialect, Refused
from tests.controlplane.hujson import Json
from tests.controlplane.packet_filter import SELF, Rule, rules
from tests.controlplane.selectors import address, kind
from tests.controlplane.shape import check_shape
from tests.controlplane.ssh import check_ssh

SELF_SOURCES = "autogroup:self can only be used with users, groups, or supported autogroups"
USER_GRANTABLE = {
    f"tailscale.com/cap/{name}" for name in ("drive", "relay", "webui", "kubernetes", "tsidp")
}


def check(policy: Json, dialect: Dialect, domains: frozenset[str]) -> None:
    """Everything but the policy's own tests.

    Raises:
        Refused: with the first problem found, as the control plane has it.
    """
    check_shape(policy, dialect)
    _check_groups(policy, dialect)
    _check_tags(policy, dialect)
    for alias, value in policy.get("hosts", {}).items():
        if address(value) is None:
            raise Refused(f'hosts["{alias}"]: "{value}": invalid address')
    for acl in policy.get("acls") or ():
        _check_acl(acl, policy, dialect)
    for grant in policy.get("grants") or ():
        _check_grant(grant, policy, dialect)
    for attribute in policy.get("nodeAttrs") or ():
        for target in attribute.get("target", ()):
            known(target, policy, dialect)
    check_ssh(policy, domains)


def known(selector: str, policy: Json, dialect: Dialect) -> None:
    """Refuse a tag, group or host that the policy does not define."""
    match kind(selector):
        case "tag" if selector not in policy.get("tagOwners", {}):
            raise Refused(f'tag not found: "{selector}"')
        case "group" if selector not in policy.get("groups", {}):
            raise Refused(dialect.unknown_group.format(selector))
        case "host" if selector not in policy.get("hosts", {}):
            raise Refused(dialect.unknown_host.format(selector))


def warnings(policy: Json, logins: Iterable[str]) -> list[tuple[str, str]]:
    """Members of groups whom nobody knows, by group: they are accepted, and match nobody."""
    there = set(logins)
    return [
        (group, f'user not found: "{member}"')
        for group, members in policy.get("groups", {}).items()
        for member in members
        if member not in there
    ]


def _check_groups(policy: Json, dialect: Dialect) -> None:
    for group, members in policy.get("groups", {}).items():
        if not group.startswith("group:"):
            raise Refused(f"groups[\"{group}\"]: group names must start with 'group:'")
        for member in members:
            if kind(member) == "group":
                raise Refused(f'groups["{group}"]: "{member}": group members cannot be recursive')
            if kind(member) != "user" or (dialect.name == "tailscale" and member.endswith("@")):
                raise Refused(f'groups["{group}"]: "{member}": invalid user')


def _check_tags(policy: Json, dialect: Dialect) -> None:
    for tag, owners in policy.get("tagOwners", {}).items():
        if not re.match(r"tag:[A-Za-z]", tag):
            raise Refused(f"tagOwners[\"{tag}\"]: tag names must start with a letter, after 'tag:'")
        if not re.fullmatch(r"tag:[A-Za-z][A-Za-z0-9-]*", tag):
            raise Refused(
                f'tagOwners["{tag}"]: tag names can only contain numbers, letters, or dashes'
            )
        for owner in owners:
            with _under(f'tagOwners["{tag}"]: '):
                known(owner, policy, dialect)


def _check_acl(acl: Json, policy: Json, dialect: Dialect) -> None:
    action = acl.get("action", "")
    if action != "accept":
        raise Refused(f'action="{action}" is not supported')
    sources = acl.get("src", acl.get("users")) or ()
    _check_sources(sources, policy, dialect)
    (rule,) = _rules({"acls": [acl]})
    for target, _, _ in rule.targets:
        _check_autogroup_target(target, dialect)
        with _under(f'dst="{target}": '):
            known(target, policy, dialect)
    if any(target == SELF for target, _, _ in rule.targets):
        _check_sources_of_self(sources, also=("*",))


def _check_grant(grant: Json, policy: Json, dialect: Dialect) -> None:
    if not grant.get("ip") and not grant.get("app"):
        raise Refused("ip and app can not both be empty")
    _rules({"grants": [grant]})
    for capability in grant.get("app") or {}:
        _check_capability(capability)
    _check_sources(grant.get("src") or (), policy, dialect)
    for target in grant.get("dst") or ():
        _check_grant_target(target, grant, policy, dialect)
    for tag in grant.get("via") or ():
        if kind(tag) != "tag":
            raise Refused("via can only be a tag")
        if tag not in policy.get("tagOwners", {}):
            raise Refused(f'tag "{tag}" not found')
    if SELF in (grant.get("dst") or ()):
        _check_sources_of_self(grant.get("src") or (), also=())


def _check_grant_target(target: str, grant: Json, policy: Json, dialect: Dialect) -> None:
    _check_autogroup_target(target, dialect)
    network = address(target)
    if network is not None and network.prefixlen == 0:
        raise Refused(
            f'dst "{network}": to allow all IP addresses, use "*" or "autogroup:internet"'
        )
    if target == "autogroup:internet" and grant.get("app"):
        raise Refused("cannot use app grants with autogroup:internet")
    with _under(f'dst="{target}": '):
        known(target, policy, dialect)


def _check_capability(name: str) -> None:
    if "://" in name or "/" not in name:
        raise Refused("capability name must have the form {domain}/{path}")
    if name.startswith("tailscale.com/") and name not in USER_GRANTABLE:
        raise Refused("capability name must not be in the tailscale.com domain")


def _check_sources(sources: Iterable[str], policy: Json, dialect: Dialect) -> None:
    for source in sources:
        if kind(source) == "autogroup" and source not in dialect.source_autogroups:
            raise Refused(f'"{source}" not valid on the src side of a rule')
        with _under("src="):
            known(source, policy, dialect)


def _check_autogroup_target(target: str, dialect: Dialect) -> None:
    if target == "autogroup:danger-all":
        raise Refused("cannot use autogroup:danger-all as a dst")
    if kind(target) == "autogroup" and target not in dialect.target_autogroups:
        raise Refused(f'"{target}" not valid on the dst side of a rule')


def _check_sources_of_self(sources: Iterable[str], also: tuple[str, ...]) -> None:
    """Only people have devices of their own. ACLs let `*` pass, grants do not (both captured)."""
    for source in sources:
        people = kind(source) in {"user", "group"}
        roles = kind(source) == "autogroup" and source not in {
            "autogroup:tagged",
            "autogroup:danger-all",
        }
        if not people and not roles and source not in also:
            raise Refused(SELF_SOURCES)


def _rules(policy: Json) -> list[Rule]:
    try:
        return rules(policy)
    except ports.BadPorts as problem:
        raise Refused(str(problem)) from None


@contextmanager
def _under(prefix: str) -> Iterator[None]:
    """Say in front of a refusal what it is about."""
    try:
        yield
    except Refused as refusal:
        raise Refused(prefix + refusal.message, refusal.data) from None
