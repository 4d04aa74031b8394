"""Adding, changing and removing people: edits of the inventory file that lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paisctl.diagnostics import did_you_mean
from paisctl.errors import UsageError
from paisctl.inventory.edit import AddItem, Edit, RemoveItem, RemoveKey, SetValue
from paisctl.inventory.load import Fleet


def file_with_users(fleet: Fleet, paths: Sequence[Path]) -> Path:
    """The inventory file whose list of users counts; the first one if there is none yet."""
    mark = fleet.source.mark(("users",)) if fleet.inventory.users else None
    return next((path for path in paths if mark and str(path) == mark.file), paths[0])


def add(fleet: Fleet, login: str, role: str, limits: Mapping[str, Any]) -> list[Edit]:
    """Add a user; nothing if they are there just so.

    Args:
        fleet: the fleet.
        login: their login name.
        role: one of the fleet's roles.
        limits: what differs from the role, by the names of a user's keys; None is left out.

    Raises:
        UsageError: the role does not exist, or the user is there with something else.
    """
    _require_role(fleet, role)
    item = {"id": login, "role": role, **_said(limits)}
    position = _find(fleet, login)
    if position is None:
        return [AddItem(("users",), item)]
    if _entry(fleet, position) == item:
        return []
    raise UsageError(
        f"{login} is there already, and not just so", f"change them: paisctl user set {login} …"
    )


def change(
    fleet: Fleet, login: str, role: str | None, limits: Mapping[str, Any], unset: Sequence[str]
) -> list[Edit]:
    """Change a user: set some keys, take others out so that the role decides.

    Raises:
        UsageError: there is no such user or role.
    """
    position = _require(fleet, login)
    if role is not None:
        _require_role(fleet, role)
    wanted = {**({} if role is None else {"role": role}), **_said(limits)}
    now = _entry(fleet, position)
    edits: list[Edit] = [
        SetValue(("users", position, key), value)
        for key, value in wanted.items()
        if now.get(key) != value
    ]
    return edits + [RemoveKey(("users", position, key)) for key in unset if key in now]


def remove(fleet: Fleet, login: str) -> list[Edit]:
    """Remove a user.

    Raises:
        UsageError: there is no such user, or a device belongs to them.
    """
    position = _require(fleet, login)
    login = fleet.inventory.users[position].id
    owned = [name for name, d in fleet.devices.items() if d.device.owner == login]
    if owned:
        raise UsageError(
            f"{login} owns {', '.join(owned)}",
            "give each another `owner`, or take it out of the inventory, first",
        )
    return [RemoveItem(("users",), position)]


def _entry(fleet: Fleet, position: int) -> Mapping[str, Any]:
    entry: Mapping[str, Any] = fleet.source.data["users"][position]
    return entry


def _said(limits: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in limits.items() if value is not None}


def _find(fleet: Fleet, login: str) -> int | None:
    users = fleet.inventory.users
    return next((i for i, user in enumerate(users) if user.id.lower() == login.lower()), None)


def _require(fleet: Fleet, login: str) -> int:
    position = _find(fleet, login)
    if position is None:
        known = [user.id for user in fleet.inventory.users]
        raise UsageError(f"there is no user {login}", did_you_mean(login, known, "users"))
    return position


def _require_role(fleet: Fleet, role: str) -> None:
    if role not in fleet.inventory.roles:
        hint = did_you_mean(role, fleet.inventory.roles, "roles")
        raise UsageError(f"there is no role `{role}`", hint)
