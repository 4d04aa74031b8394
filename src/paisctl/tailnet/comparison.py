"""The policy that should be in force against the one that is: a plan, in rules and in access. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from paisctl.errors import BadPolicy
from paisctl.plan import Action, Address, Cause, Change, Disruption, PolicyPlan
from paisctl.policy.access import compare
from paisctl.policy.document import Policy, canonical, digest, document
from paisctl.policy.text import read, stamp_of
from paisctl.rendering.tailnet.derive import Derived
from paisctl.rendering.tailnet.words import AccessWords, policy_text
from paisctl.tailnet.control import LivePolicy

_LISTS = ("grants", "acls", "ssh")  # sections of rules, whose order means nothing
BY_HAND = "edited by hand since paisctl last wrote it"
FOREIGN = "was not written by paisctl"


def plan_policy(
    fleet: str,
    derived: Derived,
    live: LivePolicy,
    called: str = "the policy in force",
    was: Derived | None = None,
) -> PolicyPlan:
    """Compare the policy in force with what the inventory asks for.

    Args:
        fleet: the fleet's name.
        derived: the policy that should be.
        live: the one in force.
        called: what to call that one.
        was: what that one was derived from, if it was from another revision of the inventory.

    Returns:
        A plan without changes if they are the same but for comments and the order of rules.
    """
    try:
        before = read(live.text)
    except BadPolicy as bad:
        return _unreadable(bad, live, called)
    stamp, wanted = stamp_of(live.text), derived.policy
    is_ours = stamp == digest(before)
    notes = () if is_ours or is_same(before, wanted) else (_origin(called, stamp),)
    if is_same(before, wanted):
        return PolicyPlan(notes=notes, etag=live.etag)
    cause = _cause(stamp, is_ours=is_ours, wanted=digest(wanted))
    gains, losses = _access(before, derived, was or derived)
    return PolicyPlan(
        changes=tuple(_changes(fleet, before, derived, cause)),
        gains=gains,
        losses=losses,
        notes=notes,
        text=policy_text(fleet, derived),
        before=live.text,
        etag=live.etag,
    )


def _access(
    before: Policy, derived: Derived, was: Derived
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who gains and who loses what, each in the words of the inventory that gives it."""
    access = compare(before, derived.policy, was.world, derived.world)
    gains, _ = AccessWords(derived).of(access)
    _, losses = AccessWords(was).of(access)
    return gains, losses


def _unreadable(bad: BadPolicy, live: LivePolicy, called: str) -> PolicyPlan:
    in_force = "look at it with `paisctl acl pull`, and mend it in the admin console"
    hint = in_force if live.etag else ""  # a file has none
    return PolicyPlan(problem=f"{called}: {bad.message}", hint=hint, etag=live.etag)


def is_same(one: Policy, other: Policy) -> bool:
    """Whether two policies say the same: the order of rules and of tests means nothing."""
    return _sorted(one) == _sorted(other)


def _sorted(policy: Policy) -> dict[str, Any]:
    parts = json.loads(canonical(policy))
    return {
        name: sorted(map(_line, part)) if name in (*_LISTS, "tests") else part
        for name, part in parts.items()
    }


def _origin(called: str, stamp: str | None) -> str:
    return f"{called} {FOREIGN if stamp is None else f'was {BY_HAND}'}"


def _cause(stamp: str | None, *, is_ours: bool, wanted: str) -> Cause:
    """Why they differ: the stamp tells what we wrote last."""
    if is_ours or stamp is None:
        return Cause.PENDING
    return Cause.DRIFT if stamp == wanted else Cause.BOTH


def _changes(fleet: str, before: Policy, derived: Derived, cause: Cause) -> Iterator[Change]:
    old, new = document(before), document(derived.policy)
    address = Address("tailnet", "policy", fleet)
    for section in sorted({*old, *new}, key=_order):
        if section in _LISTS:
            found = _of_rules(section, old.get(section, []), new.get(section, []), derived)
        elif section == "tests":
            found = _of_tests(old.get(section, []), new.get(section, []))
        else:
            found = _of_names(section, old.get(section), new.get(section))
        for action, subject, was, now, reason, mark in found:
            sign = Action.MEND if action is Action.UPDATE and cause is not Cause.PENDING else action
            yield Change(address, sign, subject, cause, Disruption.NONE, "", was, now, reason, mark)


_Found = Iterator[tuple[Action, str, str, str, str, Any]]
_ORDER = ("groups", "hosts", "tagOwners", "grants", "acls", "ssh", "tests")


def _order(section: str) -> tuple[int, str]:
    return (_ORDER.index(section) if section in _ORDER else len(_ORDER), section)


def _of_rules(section: str, old: list[Any], new: list[Any], derived: Derived) -> _Found:
    subject = {"grants": "grant", "acls": "acl", "ssh": "ssh rule"}[section]
    was, now = set(map(_line, old)), set(map(_line, new))
    for position, rule in enumerate(new):
        if _line(rule) not in was:
            origin = derived.rules[section, position]
            yield Action.CREATE, subject, "", _rule(rule), origin.title, origin.mark
    for rule in old:
        if _line(rule) not in now:
            yield (
                Action.DELETE,
                subject,
                _rule(rule),
                "",
                "nothing in the inventory asks for it",
                None,
            )


def _rule(rule: Mapping[str, Any]) -> str:
    """A rule on one line: `group:admins → tag:k6, tag:nas (tcp:22)`."""
    sides = (", ".join(map(str, rule.get(side) or ["?"])) for side in ("src", "dst"))
    rest = {name: value for name, value in rule.items() if name not in ("src", "dst", "action")}
    ports = ", ".join(rest.pop("ip", ()))
    said = [ports, *(f"{name} {_inline(value)}" for name, value in rest.items())]
    return f"{' → '.join(sides)} ({'; '.join(filter(None, said))})"


def _of_tests(old: list[Any], new: list[Any]) -> _Found:
    was, now = set(map(_line, old)), set(map(_line, new))
    if was != now:
        said = f"{len(now - was)} new, {len(was - now)} gone"
        yield Action.UPDATE, "tests", "", "", said, None


def _of_names(section: str, old: Any, new: Any) -> _Found:
    """Sections that are mappings, name by name; what is none of these as a whole."""
    is_derived = section in ("groups", "hosts", "tagOwners")
    reason = "people and devices of the inventory" if is_derived else "`tailnet.sections`"
    if not isinstance(old or {}, dict) or not isinstance(new or {}, dict):
        yield _difference(section, _inline(old), _inline(new), reason)
        return
    alike: dict[tuple[str, str], list[str]] = {}
    for name in sorted({*(old or {}), *(new or {})}):
        was, now = (old or {}).get(name), (new or {}).get(name)
        if was != now:
            alike.setdefault((_inline(was), _inline(now)), []).append(name)
    for (was, now), names in alike.items():
        subject = ", ".join(names) if section == "groups" else f"{section} {', '.join(names)}"
        yield _difference(subject, was, now, reason)


def _difference(
    subject: str, was: str, now: str, reason: str
) -> tuple[Action, str, str, str, str, None]:
    action = Action.UPDATE if was and now else Action.CREATE if now else Action.DELETE
    return action, subject, was, now, reason, None


def _inline(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value) or "nobody"
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
