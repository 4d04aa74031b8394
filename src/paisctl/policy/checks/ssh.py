"""What may be refused of the rules for Tailscale SSH, and of their tests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from paisctl.policy.checks.names import Names
from paisctl.policy.checks.problem import Control, Path, Problem
from paisctl.policy.document import Policy
from paisctl.policy.networks import INTERNET, networks_of
from paisctl.policy.selectors import SELF

_PART = re.compile(r"(\d+(?:\.\d+)?)(h|m|s|ms|us|µs|ns)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_LONGEST = 168 * 3600


def ssh_problems(policy: Policy, control: Control) -> Iterator[Problem]:
    """Everything foreseen about `ssh`."""
    names = Names(policy, control)
    for i, rule in enumerate(policy.ssh):
        path: Path = ("ssh", i)
        yield from _action(rule, path)
        yield from _period(rule, path, control)
        yield from _users(rule, path)
        yield from _ends(names, rule, path)


def ssh_test_problems(policy: Policy) -> Iterator[Problem]:
    """What is known to be refused of the destinations in `sshTests`.

    For policies by others: paisctl writes no such section.
    """
    section = next((v for k, v in policy.others.items() if k.lower() == "sshtests"), ())
    for i, test in enumerate(section if isinstance(section, list) else ()):
        for j, dst in enumerate(_texts(test, "dst")):
            path: Path = ("sshTests", i, "dst", j)
            if dst.startswith("tag:") and dst not in policy.tag_owners:
                yield Problem(f'SSH tests dst contains unknown tag "{dst}"', path)
            elif "/" in dst or dst == INTERNET:
                yield Problem(f'SSH tests dst contains disallowed element "{dst}"', path)


def _action(rule: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    action = rule.get("action") or ""
    if not action:
        yield Problem("action must be specified", path)
    elif action not in ("accept", "check"):
        yield Problem(f'"{action}" is not a valid action', (*path, "action"))
    if action == "check" and any(src.startswith("tag:") for src in _texts(rule, "src")):
        said = "an SSH rule from a tagged device cannot be in check mode"
        yield Problem(said, (*path, "action"), "nobody sits there to sign in again")


def _period(rule: Mapping[str, Any], path: Path, control: Control) -> Iterator[Problem]:
    period, path = rule.get("checkPeriod"), (*path, "checkPeriod")
    if period is None or period == "always":
        return
    seconds = _seconds(str(period))
    if rule.get("action") != "check" and control == "headscale":
        yield Problem('checkPeriod is only valid with action "check"', path)
    if seconds is None:
        yield Problem(f'time: invalid duration "{period}"', path)
    elif seconds < 0:
        yield Problem(f"checkPeriod {_said(seconds)} must be a positive duration", path)
    elif seconds > _LONGEST:
        yield Problem(f"checkPeriod {_said(seconds)} is above the max (168h)", path)


def _users(rule: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    users = _texts(rule, "users")
    if not users:
        yield Problem("users must be specified", path)
    for i, user in enumerate(users):
        if user in ("", "*"):
            hint = 'write "autogroup:nonroot" and, if it is meant, "root"' if user else None
            yield Problem(f'user "{user}" is not valid', (*path, "users", i), hint)
    for i, name in enumerate(_texts(rule, "acceptEnv")):
        if not name:
            yield Problem("acceptEnv values cannot be empty", (*path, "acceptEnv", i))


def _ends(names: Names, rule: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """The only connections are a user's to their own devices, a user's to tagged devices, and those
    between tagged devices [Tailscale docs, policy file syntax, Tailscale SSH].
    """
    src, dst = _texts(rule, "src"), _texts(rule, "dst")
    for i, name in enumerate(src):
        if name == "*" or _is_place(names, name):
            yield Problem(f'invalid src "{name}"', (*path, "src", i))
        elif problem := names.problem(name, "src", (*path, "src", i)):
            yield problem
    for i, name in enumerate(dst):
        where: Path = (*path, "dst", i)
        tagged = [one for one in src if one.startswith("tag:") or one == "autogroup:tagged"]
        if name == "*":
            yield Problem("wildcard (*) is not supported as SSH destination", where)
        elif name.startswith("group:") or _is_place(names, name):
            yield Problem(f'invalid dst "{name}"', where)
        elif problem := names.problem(name, "dst", where):
            yield problem
        elif name == SELF and tagged:
            said = "destination requires source to contain only users or groups"
            yield Problem(f"{SELF} {said}, not tags or autogroup:tagged", where)
        elif "@" in name and tagged:
            yield Problem("tags in SSH source cannot access user-owned devices", where)
        elif "@" in name and set(src) != {name}:
            said = "user destination requires source to contain only that same user"
            yield Problem(said, where)


def _is_place(names: Names, name: str) -> bool:
    return name in names.policy.hosts or (name != INTERNET and bool(networks_of(name)))


def _texts(rule: Any, key: str) -> list[str]:
    found = rule.get(key) if isinstance(rule, Mapping) else None
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def _seconds(text: str) -> float | None:
    """A duration as Go writes it, in seconds."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    parts = _PART.findall(digits)
    if digits != "0" and (not parts or "".join(n + unit for n, unit in parts) != digits):
        return None
    return sign * sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _said(seconds: float) -> str:
    """The way Go prints a duration of whole seconds."""
    left = round(abs(seconds))
    hours, minutes = left // 3600, left // 60 % 60
    said = f"{left % 60}s"
    said = f"{minutes}m{said}" if left >= 60 else said
    return ("-" if seconds < 0 else "") + (f"{hours}h{said}" if hours else said)
