"""Machines and people as the two control planes list them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from paisctl.tailnet.control import TailnetDevice, TailnetUser

_TAGGED = "tagged-devices"  # the user that Headscale shows for machines that belong to nobody


def tailscale_device(data: Mapping[str, Any]) -> TailnetDevice:
    """A machine, from an item of `GET /tailnet/{tailnet}/devices?fields=all`."""
    tags = _texts(data.get("tags"))
    never = bool(data.get("keyExpiryDisabled"))
    return TailnetDevice(
        id=_text(data, "nodeId") or _text(data, "id"),
        name=_text(data, "name").split(".")[0],
        addresses=_texts(data.get("addresses")),
        tags=tags,
        user="" if tags else _text(data, "user"),  # of a tagged one: who has registered it
        authorized=bool(data.get("authorized", True)),
        expires=None if never else time_of(data.get("expires")),
        client_version=_text(data, "clientVersion"),
        update_available=bool(data.get("updateAvailable")),
        is_foreign=bool(data.get("isExternal")),
    )


def tailscale_user(data: Mapping[str, Any]) -> TailnetUser:
    """A person, from an item of `GET /tailnet/{tailnet}/users`."""
    return TailnetUser(
        id=_text(data, "id"),
        login=_text(data, "loginName"),
        name=_text(data, "displayName"),
        role=_text(data, "role"),
        status=_text(data, "status"),
        is_shared=data.get("type") == "shared",
    )


def headscale_device(data: Mapping[str, Any]) -> TailnetDevice:
    """A machine, from an item of `GET /api/v1/node`.

    Up to Headscale 0.27 tags stand in `forcedTags` and `validTags`.
    """
    tags = _texts([*_list(data, "tags"), *_list(data, "forcedTags"), *_list(data, "validTags")])
    owner = data.get("user")
    user = headscale_user(owner) if isinstance(owner, dict) and not tags else None
    return TailnetDevice(
        id=_text(data, "id"),
        name=_text(data, "givenName") or _text(data, "name"),
        addresses=_texts(data.get("ipAddresses")),
        tags=tags,
        user=user.login if user and user.name != _TAGGED else "",
        aliases=user.aliases if user else (),
        expires=time_of(data.get("expiry")),
    )


def headscale_user(data: Mapping[str, Any]) -> TailnetUser:
    """A person, from an item of `GET /api/v1/user`.

    Policies name them by an e-mail address, or by a name with an `@` at its end (Headscale docs,
    "Policy").
    """
    name, email = _text(data, "name"), _text(data, "email")
    login = name if "@" in name else f"{name}@"
    return TailnetUser(
        id=_text(data, "id"),
        login=login,
        name=_text(data, "displayName") or name,
        aliases=(email,) if email and email != login else (),
    )


def time_of(value: Any) -> datetime | None:
    """A time, from RFC 3339; None for none, and for Go's year 1, which means the same."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) and value else None
    except ValueError:
        return None
    return time if time and time.tzinfo and time.year > 1 else None


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return str(value) if isinstance(value, (str, int)) else ""


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else []


def _texts(values: Any) -> tuple[str, ...]:
    """The texts of a list, each once."""
    return tuple(dict.fromkeys(v for v in values or () if isinstance(v, str)))
