"""The `ssh` section: what is refused in it, and what its rules come to for `sshTests`.

Texts captured from the control plane (headscale, hscontrol/policy/v2/testdata/ssh_results and
sshtest_results); the language: "Tailscale SSH" in the Tailscale documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.controlplane.dialect import Refused
from tests.controlplane.hujson import Json
from tests.controlplane.packet_filter import SELF
from tests.controlplane.selectors import Selectors, address, kind
from tests.controlplane.tailnet import Device

UNITS = {"h": 3600, "m": 60, "s": 1}
MOST_SECONDS = 168 * 3600


def check_ssh(policy: Json, domains: frozenset[str]) -> None:
    """Refuse a rule as the control plane would.

    Raises:
        Refused: with its words.
    """
    for rule in policy.get("ssh") or ():
        _check_action(rule)
        _check_users(rule.get("users") or (), domains)
        if "" in (rule.get("acceptEnv") or ()):
            raise Refused("acceptEnv values cannot be empty")
        if rule.get("checkPeriod") and rule["checkPeriod"] != "always":
            _check_period(rule["checkPeriod"])
        _check_ends(rule, policy)
    for test in policy.get("sshTests") or ():
        for target in test.get("dst") or ():
            _check_test_target(target, policy)


def failures(policy: Json, selectors: Selectors) -> list[tuple[str, str]]:
    """The policy's own `sshTests` that do not hold, by source."""
    found = []
    for test in policy.get("sshTests") or ():
        source = test.get("src", "")
        asked = [
            (kind_, user) for kind_ in ("accept", "check", "deny") for user in test.get(kind_) or ()
        ]
        if not source or not asked or not test.get("dst"):
            found.append(
                (source, "a test needs a source, targets, and users to accept, check or deny")
            )
        found += [
            (source, f'user "{user}" on "{target}": want: {wanted}')
            for target in test.get("dst") or ()
            for wanted, user in asked
            if not _holds(wanted, user, _granted(policy, selectors, source, target, user))
        ]
    return found


def _check_action(rule: Json) -> None:
    action = rule.get("action") or ""
    if not action:
        raise Refused("action must be specified")
    if action not in {"accept", "check"}:
        raise Refused(f'"{action}" is not a valid action')
    if action == "check" and any(kind(source) == "tag" for source in rule.get("src") or ()):
        raise Refused('[ssh] "check" action does not support tags in src')


def _check_users(users: Iterable[str], domains: frozenset[str]) -> None:
    if not users:
        raise Refused("users must be specified")
    for user in users:
        if user in {"", "*"}:
            raise Refused(f'user "{user}" is not valid')
        domain = user.rpartition("@")[2]
        if user.startswith("localpart:") and domain not in domains:
            raise Refused(
                f"{domain} is not associated with this Tailnet "
                "and cannot be used in user:*@<domain> expressions"
            )


def _check_period(text: str) -> None:
    """A duration as Go writes them: `12h`, `168h0m1s`, `-1m`."""
    if not re.fullmatch(r"-?(\d+[hms])+", text):
        raise Refused(f'time: invalid duration "{text}"')
    parts = re.findall(r"(\d+)([hms])", text)
    seconds = sum(int(number) * UNITS[unit] for number, unit in parts)
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    shown = (
        f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
    )
    if text.startswith("-"):
        raise Refused(f"checkPeriod -{shown} must be a positive duration")
    if seconds > MOST_SECONDS:
        raise Refused(f"checkPeriod {shown} is above the max (168h)")


def _check_ends(rule: Json, policy: Json) -> None:
    tags, groups = policy.get("tagOwners", {}), policy.get("groups", {})
    for target in rule.get("dst") or ():
        if kind(target) in {"host", "address", "any"}:
            raise Refused(f'invalid dst "{target}"')
        if kind(target) == "tag" and target not in tags:
            raise Refused(f'tag not found: "{target}"')
    for source in rule.get("src") or ():
        if kind(source) == "tag" and source not in tags:
            raise Refused(f'src=tag not found: "{source}"')
        if kind(source) == "group" and source not in groups:
            raise Refused(f'src=group not found: "{source}"')


def _check_test_target(target: str, policy: Json) -> None:
    if target == "autogroup:internet" or "/" in target:
        raise Refused(f'SSH tests dst contains disallowed element "{target}"')
    if kind(target) == "tag" and target not in policy.get("tagOwners", {}):
        raise Refused(f'SSH tests dst contains unknown tag "{target}"')


def _granted(policy: Json, selectors: Selectors, source: str, target: str, user: str) -> set[str]:
    """The actions of the rules that let every device of the source in on every target, as `user`."""
    found = set()
    for rule in policy.get("ssh") or ():
        sources = {each for one in rule.get("src") or () for each in _devices(selectors, one)}
        named = rule.get("dst") or ()
        into = {each for one in named for each in _devices(selectors, one)}
        wanted = _devices(selectors, target)
        from_ = _devices(selectors, source)
        own = SELF in named and all(
            each.owner and each.owner == other.owner for each in from_ for other in wanted
        )
        covered = set(from_) <= sources and (own or set(wanted) <= into)
        if from_ and wanted and covered and _may_be(user, rule.get("users") or (), source):
            found.add(rule["action"])
    return found


def _devices(selectors: Selectors, selector: str) -> tuple[Device, ...]:
    alias = selectors.policy.get("hosts", {}).get(selector, selector)
    network = address(alias)
    if network is not None:
        return tuple(
            each
            for each in selectors.tailnet.members
            if any(one == network for one in each.networks)
        )
    return selectors.devices(selector)


def _may_be(user: str, users: Iterable[str], source: str) -> bool:
    name, _, domain = source.partition("@")
    return any(
        each == user
        or (each == "autogroup:nonroot" and user != "root")
        or (each == f"localpart:*@{domain}" and user == name)
        for each in users
    )


def _holds(wanted: str, user: str, actions: set[str]) -> bool:
    if not user:
        return False
    if wanted == "check":
        return "check" in actions
    return bool(actions) == (wanted == "accept")
