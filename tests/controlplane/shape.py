"""Which fields a policy may have, and of what type: what is refused while it is decoded."""

from __future__ import annotations

from typing import Any

from tests.controlplane.dialect import Dialect, Refused
from tests.controlplane.hujson import Json

# Of each list of objects in a policy: the fields of its elements, and whether they are lists.
FIELDS: dict[str, dict[str, type]] = {
    "acls": {
        "action": str,
        "proto": str,
        "src": list,
        "dst": list,
        "users": list,
        "ports": list,
    },
    "grants": {"src": list, "dst": list, "ip": list, "app": dict, "via": list},
    "tests": {
        "src": str,
        "user": str,
        "proto": str,
        "accept": list,
        "allow": list,
        "deny": list,
    },
    "sshTests": {"src": str, "dst": list, "accept": list, "deny": list, "check": list},
    "ssh": {
        "action": str,
        "src": list,
        "dst": list,
        "users": list,
        "checkPeriod": str,
        "acceptEnv": list,
    },
    "nodeAttrs": {"target": list, "attr": list, "app": dict, "ipPool": list},
}
OF_POSTURES: dict[str, dict[str, type]] = {
    "acls": {"srcPosture": list},
    "grants": {"srcPosture": list},
    "tests": {"srcPostureAttrs": dict},
    "ssh": {"srcPosture": list, "recorder": list, "enforceRecorder": bool},
}
MAPS = {"groups": list, "hosts": str, "tagOwners": list}


def check_shape(policy: Json, dialect: Dialect) -> None:
    """Refuse fields that the language does not have, and values of another type."""
    for section, value in policy.items():
        if section not in dialect.sections:
            raise Refused(dialect.unknown_field.format(section))
        if section in MAPS:
            _typed(value, dict, section)
            for key, each in value.items():
                _typed(each, MAPS[section], f"{section}.{key}")
        elif section in FIELDS:
            _typed(value, list, section)
            for index, each in enumerate(value or ()):
                _check_element(each, section, index, dialect)


def _check_element(value: Any, section: str, index: int, dialect: Dialect) -> None:
    where = f"{section}[{index}]"
    _typed(value, dict, where)
    fields = FIELDS[section] | (OF_POSTURES.get(section, {}) if dialect.postures else {})
    for name, each in value.items():
        if name not in fields:
            raise Refused(dialect.unknown_field.format(name))
        _typed(each, fields[name], f"{where}.{name}")


def _typed(value: Any, wanted: type, where: str) -> None:
    """Null is the zero value of every type, as the decoder of Go has it."""
    if value is None:
        return
    mixed = isinstance(value, list) and not _is_plain(value, where)
    if not isinstance(value, wanted) or mixed:
        names = {dict: "object", list: "array", str: "string", bool: "bool"}
        found = names.get(type(value), "number")
        raise Refused(f"json: cannot unmarshal {found} into field {where} of type {names[wanted]}")


def _is_plain(value: list[Any], where: str) -> bool:
    """A section is a list of objects; every list below one is of strings."""
    return where in FIELDS or all(isinstance(each, str) for each in value)
