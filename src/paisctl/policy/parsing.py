"""A policy from the JSON value of its text.

Names of keys are taken in any case, and the rules' older `users` and `ports` for `src` and `dst`:
the control plane takes them so, and policies that were written long ago have them
[Tailscale docs, "Syntax reference for the tailnet policy file", legacy fields].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paisctl.policy.document import Acl, Grant, Policy, Test

_SECTIONS = ("groups", "hosts", "tagOwners", "grants", "acls", "ssh", "tests")
_GRANT = ("src", "dst", "ip", "app", "via", "srcPosture")
_ACL = ("action", "src", "dst", "proto", "srcPosture")
_TEST = ("src", "accept", "deny", "proto", "srcPostureAttrs")
_OLDER = {"users": "src", "ports": "dst"}
_OLDER_TEST = {"user": "src", "allow": "accept"}


class Malformed(ValueError):
    """The value has not the shape of a policy. `place` is where, as `grants[3].src`."""

    def __init__(self, place: str, wanted: str) -> None:
        super().__init__(f"{place or 'the policy'} is not {wanted}")


def parsed(data: Any) -> Policy:
    """The policy that a JSON value is.

    Raises:
        Malformed: it is none.
    """
    known, others = _keys(data, "", _SECTIONS)
    return Policy(
        groups=_lists(known.get("groups"), "groups"),
        hosts={
            name: _text(value, f"hosts.{name}")
            for name, value in _mapping(known.get("hosts"), "hosts").items()
        },
        tag_owners=_lists(known.get("tagOwners"), "tagOwners"),
        grants=_rules(known.get("grants"), "grants", _grant),
        acls=_rules(known.get("acls"), "acls", _acl),
        ssh=_rules(known.get("ssh"), "ssh", _mapping) or (),
        tests=_rules(known.get("tests"), "tests", _test) or (),
        others=others,
    )


def _grant(data: Any, place: str) -> Grant:
    known, extra = _keys(data, place, _GRANT)
    return Grant(
        src=_texts(known.get("src"), f"{place}.src"),
        dst=_texts(known.get("dst"), f"{place}.dst"),
        ip=_texts(known.get("ip"), f"{place}.ip"),
        app=_mapping(known.get("app"), f"{place}.app"),
        via=_texts(known.get("via"), f"{place}.via"),
        posture=_texts(known.get("srcPosture"), f"{place}.srcPosture"),
        extra=extra,
    )


def _acl(data: Any, place: str) -> Acl:
    known, extra = _keys(data, place, _ACL, _OLDER)
    return Acl(
        src=_texts(known.get("src"), f"{place}.src"),
        dst=_texts(known.get("dst"), f"{place}.dst"),
        proto=_text(known.get("proto", ""), f"{place}.proto"),
        posture=_texts(known.get("srcPosture"), f"{place}.srcPosture"),
        action=_text(known.get("action", ""), f"{place}.action"),
        extra=extra,
    )


def _test(data: Any, place: str) -> Test:
    known, extra = _keys(data, place, _TEST, _OLDER_TEST)
    return Test(
        src=_text(known.get("src", ""), f"{place}.src"),
        accept=_texts(known.get("accept"), f"{place}.accept"),
        deny=_texts(known.get("deny"), f"{place}.deny"),
        proto=_text(known.get("proto", ""), f"{place}.proto"),
        attributes=_mapping(known.get("srcPostureAttrs"), f"{place}.srcPostureAttrs"),
        extra=extra,
    )


def _keys(
    data: Any, place: str, names: tuple[str, ...], older: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values under known keys, by the names that are usual now, and those under others."""
    usual = {**{name.lower(): name for name in names}, **(older or {})}
    known: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for key, value in _mapping(data, place).items():
        name = usual.get(key.lower())
        if name in known:
            raise Malformed(f"{place}.{key}".lstrip("."), "the only one of its name")
        if name is None:
            others[key] = value
        else:
            known[name] = value
    return known, others


def _rules(data: Any, place: str, rule: Any) -> tuple[Any, ...] | None:
    if data is None:
        return None
    return tuple(rule(item, f"{place}[{i}]") for i, item in enumerate(_list(data, place)))


def _lists(data: Any, place: str) -> dict[str, tuple[str, ...]]:
    return {name: _texts(v, f"{place}.{name}") for name, v in _mapping(data, place).items()}


def _texts(data: Any, place: str) -> tuple[str, ...]:
    items = [] if data is None else _list(data, place)
    return tuple(_text(item, f"{place}[{i}]") for i, item in enumerate(items))


def _text(data: Any, place: str) -> str:
    if not isinstance(data, str):
        raise Malformed(place, "a text")
    return data


def _list(data: Any, place: str) -> list[Any]:
    if not isinstance(data, list):
        raise Malformed(place, "a list")
    return data


def _mapping(data: Any, place: str) -> dict[str, Any]:
    if data is None and place:
        return {}
    if not isinstance(data, dict):
        raise Malformed(place, "an object")
    return data
