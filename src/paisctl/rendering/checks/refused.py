"""What the control plane would refuse of the access policy, at its place in the inventory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paisctl.diagnostics import Diagnostics, Mark, did_you_mean
from paisctl.inventory.load import Fleet
from paisctl.inventory.source import Path_
from paisctl.policy.checks import Problem
from paisctl.policy.document import document
from paisctl.rendering.tailnet.derive import Derived

_CALLED_HERE = {"srcPosture": "src_posture", "checkPeriod": "check_period"}


def check_refused(
    found: Sequence[Problem], fleet: Fleet, derived: Derived, diagnostics: Diagnostics
) -> None:
    """Report what would be refused, unless something is known to be wrong at its place already."""
    places = _Places(fleet, derived)
    blamed = {item.mark for item in diagnostics.errors if item.mark}
    for problem in found:
        mark = places.mark(problem.path)
        # Without its people, who were not well written, an inventory lacks their groups, too.
        is_of_people = "group not found" in problem.message and not fleet.has("users")
        if mark not in blamed and not is_of_people:
            message = f"the control plane would refuse the access policy: {problem.message}"
            diagnostics.error("refused-policy", message, mark, places.hint(problem))


class _Places:
    """From places in a policy to what was written in the inventory."""

    def __init__(self, fleet: Fleet, derived: Derived) -> None:
        self._fleet = fleet
        self._derived = derived
        self._settings = fleet.inventory.tailnet
        self._policy = document(derived.policy)

    def mark(self, path: Path_) -> Mark | None:
        section, *rest = path
        written = self._written(str(section), rest)
        place = (str(section), int(rest[0])) if _is_of_rule(rest) else ("", 0)
        rule = self._derived.rules.get(place)
        if not written and rule:
            return rule.mark
        return self._fleet.source.mark(written or ("tailnet",))

    def _written(self, section: str, rest: list[str | int]) -> Path_:
        """Where a place in the policy was written by hand; nowhere if it was derived."""
        if section in self._settings.sections:
            return ("tailnet", "sections", section, *rest)
        if section in ("grants", "ssh") and _is_of_rule(rest):
            first = len(self._policy[section]) - len(getattr(self._settings, section))
            own = int(rest[0]) - first
            return ("tailnet", section, own, *self._in_rule(section, own, rest)) if own >= 0 else ()
        if section == "hosts" and rest and rest[0] in self._settings.hosts:
            return ("tailnet", "hosts", *rest)
        if section == "tagOwners" and rest:
            return ("tailnet", "tags", str(rest[0]).removeprefix("tag:"), "owners", *rest[1:])
        return ("users",) if section == "groups" else ()

    def _in_rule(self, section: str, own: int, rest: list[str | int]) -> Path_:
        """The key and, in a list, the entry that was written, of which the policy may have many."""
        keys = [_CALLED_HERE.get(str(key), key) for key in rest[1:]]
        if len(keys) < 2 or keys[0] not in ("src", "dst", "via"):
            return tuple(keys)
        said = getattr(getattr(self._settings, section)[own], str(keys[0]))
        name = self._value((section, *rest))
        expand = self._derived.names.expand
        return (keys[0], next((n for n, one in enumerate(said) if name in expand([one])), 0))

    def _value(self, path: Path_) -> Any:
        value: Any = self._policy
        for step in path:
            value = value[step]
        return value

    def hint(self, problem: Problem) -> str | None:
        """What to do about it, where the inventory says more of it than the policy."""
        section, *rest = problem.path
        if section in ("grants", "ssh") and len(rest) > 1 and rest[1] in ("src", "dst"):
            return self._hint_of_name(problem, str(section), str(self._value(problem.path)))
        is_empty = "can not both be empty" in problem.message
        return 'say which ports are opened: `ip: ["443"]`' if is_empty else problem.hint

    def _hint_of_name(self, problem: Problem, section: str, name: str) -> str | None:
        if " not found" not in problem.message:
            owner = self._fleet.devices[name].device.owner if name in self._fleet.devices else None
            is_personal = section == "ssh" and owner
            how = f"{name} belongs to {owner}: rules of SSH name people's devices by their login"
            return how if is_personal else problem.hint
        kind, _, rest = name.rpartition(":")
        if kind in self._fleet.devices:
            return f'ports have a place of their own: dst: [{kind}], ip: ["{rest}"]'
        if kind == "tag" and rest in self._fleet.inventory.tags:
            return f"no device carries the tag `{rest}`"
        empty = {self._derived.names.group(role): role for role in self._derived.names.roles}
        if name in empty:
            return f"nobody has the role `{empty[name]}`, so that it has no group"
        known = {*self._fleet.devices, *self._settings.hosts}
        return problem.hint if kind else did_you_mean(name, known, "devices and hosts")


def _is_of_rule(rest: Sequence[Any]) -> bool:
    return bool(rest) and isinstance(rest[0], int)
