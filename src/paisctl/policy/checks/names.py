"""Which selectors a rule may have on which side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from paisctl.diagnostics import did_you_mean
from paisctl.policy.checks.problem import Control, Path, Problem
from paisctl.policy.document import Policy
from paisctl.policy.networks import INTERNET, networks_of
from paisctl.policy.selectors import ANYWHERE, ROLES, SELF

Side = Literal["src", "dst"]

_USERS = {f"autogroup:{role}" for role in (*ROLES, "member", "members")}
_AUTOGROUPS: dict[Side, set[str]] = {
    "src": {*_USERS, "autogroup:tagged", "autogroup:shared", ANYWHERE},
    "dst": {*_USERS, "autogroup:tagged", SELF, INTERNET},
}
_ON_HEADSCALE = {"autogroup:member", "autogroup:tagged", ANYWHERE, SELF, INTERNET}


class Names:
    """The selectors that a policy defines, for a control plane."""

    def __init__(self, policy: Policy, control: Control) -> None:
        self.policy = policy
        self.control = control

    def problem(self, selector: str, side: Side, path: Path) -> Problem | None:
        """What is wrong with a selector on this side of a rule, if anything."""
        kind, colon, _ = selector.partition(":")
        checks: dict[str, Callable[[str, Side, Path], Problem | None]] = {
            "tag": self._tag,
            "group": self._group,
            "autogroup": self._autogroup,
            "user": self._unknown_to_headscale,
            "ipset": self._ipset,
            "svc": self._unknown_to_headscale,
        }
        if colon and kind in checks:
            return checks[kind](selector, side, path)
        return None if selector == "*" or "@" in selector else self._host(selector, side, path)

    def of_self(self, src: Iterable[str], path: Path, *, may_be_any: bool) -> list[Problem]:
        """With `autogroup:self` as destination, sources are people; `may_be_any`: or `*`."""
        message = f"{SELF} can only be used with users, groups, or supported autogroups"
        for selector in src:
            is_person = selector in _USERS or selector.startswith(("group:", "user:"))
            is_person |= "@" in selector and not selector.startswith("tag:")
            if not is_person and not (may_be_any and selector == "*"):
                return [Problem(message, path, f"`{selector}` is no person")]
        return []

    def postures(self, postures: Iterable[str], path: Path) -> list[Problem]:
        known = _section(self.policy, "postures")
        if self.control == "headscale":
            return [Problem('unknown field: "srcPosture"', path) for _ in list(postures)[:1]]
        return [
            Problem(
                f'posture not found: "{name}"', (*path, i), did_you_mean(name, known, "postures")
            )
            for i, name in enumerate(postures)
            if name not in known
        ]

    def _tag(self, tag: str, side: Side, path: Path) -> Problem | None:
        if tag in self.policy.tag_owners:
            return None
        what = f'tag not found: "{tag}"'
        message = f"src={what}" if side == "src" else f'dst="{tag}": {what}'
        return Problem(message, path, did_you_mean(tag, self.policy.tag_owners, "tags"))

    def _group(self, group: str, side: Side, path: Path) -> Problem | None:
        """Groups with an `@` come from an identity provider [policy file syntax, synced groups]."""
        if group in self.policy.groups or ("@" in group and self.control == "tailscale"):
            return None
        message = f'{side}="{group}": group not found: "{group}"'
        return Problem(message, path, did_you_mean(group, self.policy.groups, "groups"))

    def _autogroup(self, name: str, side: Side, path: Path) -> Problem | None:
        known = _AUTOGROUPS["src"] | _AUTOGROUPS["dst"] | {"autogroup:nonroot"}
        if name not in known:
            return Problem(
                f'{side}="{name}": unknown autogroup', path, did_you_mean(name, known, "autogroups")
            )
        if (name, side) == (ANYWHERE, "dst"):
            return Problem(f"cannot use {ANYWHERE} as a dst", path)
        if name not in _AUTOGROUPS[side]:
            return Problem(f'"{name}" not valid on the {side} side of a rule', path)
        if self.control == "headscale" and name not in _ON_HEADSCALE:
            return Problem(f'autogroup not supported in headscale: "{name}"', path)
        return None

    def _ipset(self, name: str, side: Side, path: Path) -> Problem | None:
        known = _section(self.policy, "ipsets")
        if self.control == "tailscale" and name not in known:
            message = f'{side}="{name}": ipset not found'
            return Problem(message, path, did_you_mean(name, known, "IP sets"))
        return self._unknown_to_headscale(name, side, path)

    def _unknown_to_headscale(self, name: str, side: Side, path: Path) -> Problem | None:
        if self.control == "headscale":
            return Problem(f'{side}="{name}": Headscale has no such selectors', path)
        if name.startswith("svc:") and side == "src":
            return Problem(f'"{name}" not valid on the src side of a rule', path)
        return None

    def _host(self, name: str, side: Side, path: Path) -> Problem | None:
        if name in self.policy.hosts:
            return None
        nets = networks_of(name)
        if side == "dst" and any(net.prefixlen == 0 for net in nets):
            message = f'dst "{name}": to allow all IP addresses, use "*" or "{INTERNET}"'
            return Problem(message, path)
        if nets:
            return None
        message = f'{side}="{name}": host not found: "{name}"'
        return Problem(message, path, did_you_mean(name, self.policy.hosts, "hosts"))


def _section(policy: Policy, name: str) -> dict[str, Any]:
    found = [value for key, value in policy.others.items() if key.lower() == name]
    return found[0] if found and isinstance(found[0], dict) else {}
