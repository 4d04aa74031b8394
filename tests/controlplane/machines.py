"""The endpoints of devices, auth keys and users."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.controlplane import hujson
from tests.controlplane.credentials import Credential
from tests.controlplane.faults import Answer
from tests.controlplane.hujson import Json
from tests.controlplane.serving import Request, answer
from tests.controlplane.tailnet import Device, User

if TYPE_CHECKING:
    from tests.controlplane.server import TailscaleServer

LONGEST_KEY = 90 * 24 * 3600  # seconds, and what a key lives when nothing is said


def list_devices(server: TailscaleServer, request: Request, _: Credential) -> Answer:
    every = request.query.get("fields") == "all"
    shown = [_device(each, every=every) for each in server.tailnet.devices]
    return answer(200, {"devices": shown})


def get_device(server: TailscaleServer, request: Request, _: Credential) -> Answer:
    device = _find(server, request)
    if device is None:
        return answer(404, {"message": "no manageable device matching this ID found"})
    return answer(200, _device(device, every=request.query.get("fields") == "all"))


def set_tags(server: TailscaleServer, request: Request, credential: Credential) -> Answer:
    """Give a device other tags; from the first on it is no longer its user's."""
    device = _find(server, request)
    if device is None:
        return answer(404, {"message": "no manageable device matching this ID found"})
    tags = (request.json or {}).get("tags") or []
    if refused := _refuse_tags(server, tags, credential):
        return refused
    server.change_tailnet(server.tailnet.with_tags(device.id, tuple(tags)))
    return answer(200, {})


def list_users(server: TailscaleServer, request: Request, _: Credential) -> Answer:
    shown = [
        _user(number, each, server)
        for number, each in enumerate(server.tailnet.users, 1)
        if request.query.get("type", each.kind) in {each.kind, "all"}
        and request.query.get("role", each.role) in {each.role, "all"}
    ]
    return answer(200, {"users": shown})


def list_keys(server: TailscaleServer, _: Request, __: Credential) -> Answer:
    shown = [{name: each[name] for name in each if name != "key"} for each in server.keys]
    return answer(200, {"keys": shown})


def create_key(server: TailscaleServer, request: Request, credential: Credential) -> Answer:
    """An auth key; its secret is in this answer and never again."""
    wanted = request.json or {}
    create = wanted.get("capabilities", {}).get("devices", {}).get("create", {})
    tags = create.get("tags") or []
    if refused := _refuse_tags(server, tags, credential):
        return refused
    if not re.fullmatch(r"[A-Za-z0-9 -]{0,50}", wanted.get("description", "")):
        return answer(
            400, {"message": "description must be at most 50 letters, digits, - or blanks"}
        )
    seconds = int(wanted.get("expirySeconds") or LONGEST_KEY)
    if not 0 < seconds <= LONGEST_KEY:
        return answer(400, {"message": "expirySeconds must be between 1 second and 90 days"})
    number = f"kTEST{len(server.keys) + 1}CNTRL"
    now = datetime.now(UTC).replace(microsecond=0)
    key: Json = {
        "id": number,
        "keyType": "auth",
        "key": f"tskey-auth-{number}-notasecret",
        "description": wanted.get("description", ""),
        "created": _time(now),
        "expires": _time(now + timedelta(seconds=seconds)),
        "expirySeconds": seconds,
        "invalid": False,
        "capabilities": {
            "devices": {
                "create": {
                    "reusable": bool(create.get("reusable")),
                    "ephemeral": bool(create.get("ephemeral")),
                    "preauthorized": bool(create.get("preauthorized")),
                    "tags": tags,
                }
            }
        },
    }
    server.keys.append(key)
    return answer(200, key)


def _refuse_tags(server: TailscaleServer, tags: list[str], credential: Credential) -> Answer | None:
    """Tags must have owners in the policy; an OAuth client gives only its own, or what they own."""
    owners = hujson.parse(server.policy).value.get("tagOwners", {})
    known = all(tag in owners for tag in tags)
    own = not credential.is_oauth or (
        bool(tags)
        and all(
            tag in credential.tags or set(owners.get(tag, ())) & set(credential.tags)
            for tag in tags
        )
    )
    if known and own:
        return None
    shown = " ".join(tags)
    return answer(400, {"message": f"requested tags [{shown}] are invalid or not permitted"})


def _find(server: TailscaleServer, request: Request) -> Device | None:
    wanted = request.path.split("/")[4]
    return next(
        (each for each in server.tailnet.devices if wanted in {each.id, each.node_id}), None
    )


def _device(device: Device, *, every: bool) -> Json:
    shown: Json = {
        "addresses": list(device.addresses),
        "id": device.id,
        "nodeId": device.node_id,
        "user": device.user,
        "name": f"{device.name}.tail0test.ts.net",
        "hostname": device.name,
        "clientVersion": device.client_version,
        "updateAvailable": device.update_available,
        "os": device.os,
        "created": "2026-01-01T00:00:00Z",
        "connectedToControl": True,
        "lastSeen": device.last_seen,
        "keyExpiryDisabled": device.key_expiry_disabled,
        "expires": device.expires,
        "authorized": device.authorized,
        "isExternal": device.external,
        "isEphemeral": False,
        "machineKey": "" if device.external else f"mkey:{device.id}",
        "nodeKey": f"nodekey:{device.id}",
        "blocksIncomingConnections": False,
    }
    if device.tags:  # left out when there are none
        shown["tags"] = list(device.tags)
    if every:
        shown |= {"enabledRoutes": list(device.routes), "advertisedRoutes": list(device.routes)}
    return shown


def _user(number: int, user: User, server: TailscaleServer) -> Json:
    return {
        "id": user.id or f"u{number}CNTRL",
        "displayName": user.login.partition("@")[0],
        "loginName": user.login,
        "profilePicUrl": "",
        "tailnetId": "1",
        "created": "2026-01-01T00:00:00Z",
        "type": user.kind,
        "role": user.role,
        "status": user.status,
        "deviceCount": sum(each.owner == user.login for each in server.tailnet.devices),
        "lastSeen": "2026-01-01T00:00:00Z",
        "currentlyConnected": True,
    }


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
