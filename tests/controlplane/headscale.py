"""Headscale's API (`/api/v1`), as far as policies, nodes, users and keys go, on a loopback port.

Sources: hscontrol/grpcv1.go of headscale v0.29 and hscontrol/api/v1 of v0.30, which answers the
same with other errors: `generation` says which. There is no ETag, so a set replaces what is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal

from tests.controlplane import hujson
from tests.controlplane.credentials import token_of
from tests.controlplane.dialect import HEADSCALE, Refused
from tests.controlplane.faults import Answer
from tests.controlplane.hujson import Json, SyntaxProblem
from tests.controlplane.packet_filter import PacketFilter
from tests.controlplane.policy_file import Listener, PolicyFile
from tests.controlplane.selectors import NotServed
from tests.controlplane.serving import LoopbackServer, Request, answer
from tests.controlplane.tailnet import Device, Tailnet, User

API_KEY = "hskey-api-test-notasecret"
ALLOW_ALL = "{}"  # what is in force as long as no policy was ever set
CREATED = "2026-01-01T00:00:00Z"

Generation = Literal["0.29", "0.30"]
Mode = Literal["database", "file"]

# The codes of gRPC that its gateway translates (google.golang.org/grpc/codes).
UNKNOWN, INVALID_ARGUMENT, NOT_FOUND = (2, 500), (3, 400), (5, 404)


class Problem(Exception):
    """An error of the API: its gRPC code with the status that v0.29 makes of it, and v0.30's.

    `parts` are what failed and why; v0.29 says `old`, where that is not the parts joined.
    """

    def __init__(self, code: tuple[int, int], status: int, *parts: str, old: str = "") -> None:
        super().__init__(old or ": ".join(parts))
        self.code = code
        self.status = status
        self.parts = parts


class HeadscaleServer(LoopbackServer):
    """A Headscale.

    `policy` is the text in force (None: none was ever set); in mode "file" it cannot be replaced.
    A node's number is its place among `devices`, from 1; so is a user's.
    """

    def __init__(
        self,
        *,
        policy: str | None = None,
        devices: Iterable[Device] = (),
        users: Iterable[User] = (),
        mode: Mode = "database",
        generation: Generation = "0.29",
    ) -> None:
        super().__init__()
        self.mode = mode
        self.generation = generation
        self.file = PolicyFile(
            policy or ALLOW_ALL, Tailnet(tuple(devices), tuple(users)), HEADSCALE
        )
        self.file.untouched = policy is None
        self.keys: list[Json] = []

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {API_KEY}"}

    @property
    def policy(self) -> str:
        """The text in force, exactly as it was put."""
        return self.file.text

    @property
    def tailnet(self) -> Tailnet:
        return self.file.tailnet

    def packet_filter(self) -> PacketFilter:
        return self.file.filter()

    def on_change(self, listener: Listener) -> None:
        """Call this with the new packet filter after each change, before it is answered."""
        self.file.on_change(listener)

    def edit_by_hand(self, text: str) -> None:
        """Somebody runs `headscale policy set`, or edits the file and reloads it."""
        with self.lock:
            self.file.set(text)

    def handle(self, request: Request, authorization: str) -> Answer:
        if token_of(authorization) != API_KEY or not authorization.startswith("Bearer "):
            if self.generation == "0.29":
                return Answer(401, "Unauthorized", {}, "text/plain; charset=utf-8")
            return self._failed(Problem(UNKNOWN, 401, "Unauthorized"))
        try:
            return self._routed(request)
        except Problem as problem:
            return self._failed(problem)
        except NotServed as problem:
            return answer(501, {"message": str(problem)})

    def _routed(self, request: Request) -> Answer:
        tags = re.fullmatch(r"/api/v1/node/(\d+)/tags", request.path)
        if tags and request.method == "POST":
            return self._set_tags(int(tags.group(1)), request)
        endpoints = {
            "GET /api/v1/policy": self._get_policy,
            "PUT /api/v1/policy": self._set_policy,
            "POST /api/v1/policy/check": self._check_policy,
            "GET /api/v1/node": self._list_nodes,
            "GET /api/v1/user": self._list_users,
            "GET /api/v1/preauthkey": self._list_keys,
            "POST /api/v1/preauthkey": self._create_key,
        }
        endpoint = endpoints.get(f"{request.method} {request.path}")
        if endpoint is None:
            raise Problem(NOT_FOUND, 404, "Not Found")
        return endpoint(request)

    def _list_nodes(self, _: Request) -> Answer:
        return answer(200, {"nodes": [self._node(each) for each in self.tailnet.devices]})

    def _list_users(self, request: Request) -> Answer:
        wanted = request.query
        found = [
            each
            for each in self.tailnet.users
            if wanted.get("email", each.login) == each.login
            and wanted.get("name", _name(each)) == _name(each)
        ]
        return answer(200, {"users": [self._user(each) for each in found]})

    def _list_keys(self, _: Request) -> Answer:
        return answer(200, {"preAuthKeys": self.keys})

    def _get_policy(self, _: Request) -> Answer:
        if self.file.untouched:
            raise Problem(UNKNOWN, 500, "loading ACL from database", "acl policy not found")
        shown = {"policy": self.policy, "updatedAt": CREATED if self.mode == "database" else None}
        return answer(200, shown)

    def _set_policy(self, request: Request) -> Answer:
        if self.mode == "file":
            raise Problem(UNKNOWN, 400, "update is disabled for modes other than 'database'")
        try:
            self.file.set((request.json or {}).get("policy", ""))
        except (SyntaxProblem, Refused) as problem:
            raise Problem(UNKNOWN, 400, "setting policy", _words(problem)) from None
        return self._get_policy(request)

    def _check_policy(self, request: Request) -> Answer:
        try:
            self.file.checked((request.json or {}).get("policy", ""))
        except (SyntaxProblem, Refused) as problem:
            raise Problem(INVALID_ARGUMENT, 400, _words(problem)) from None
        return answer(200, {})

    def _set_tags(self, number: int, request: Request) -> Answer:
        tags = (request.json or {}).get("tags") or []
        if not tags:
            raise Problem(
                INVALID_ARGUMENT,
                400,
                "cannot remove all tags from a node - tagged nodes must have at least one tag",
            )
        _check_form(tags)
        if not 0 < number <= len(self.tailnet.devices):
            raise Problem(NOT_FOUND, 404, "node not found")
        owners = hujson.parse(self.policy).value.get("tagOwners", {})
        if unknown := [tag for tag in tags if tag not in owners]:
            text = f"requested tags [{' '.join(unknown)}] are invalid or not permitted"
            raise Problem(INVALID_ARGUMENT, 400, "setting tags", text, old=text)
        device = self.tailnet.devices[number - 1]
        self.file.tailnet = self.tailnet.with_tags(device.id, tuple(tags))
        self.file.tell()
        return answer(200, {"node": self._node(self.tailnet.devices[number - 1])})

    def _create_key(self, request: Request) -> Answer:
        wanted = request.json or {}
        tags = wanted.get("aclTags") or []
        _check_form(tags)
        if not tags and not wanted.get("user"):
            raise Problem(UNKNOWN, 400, "auth-key must be either tagged or owned by user")
        number = len(self.keys) + 1
        key: Json = {
            "user": self._user(self.tailnet.users[int(wanted["user"]) - 1])
            if wanted.get("user")
            else None,
            "id": str(number),
            "key": f"hskey-auth-test{number}-notasecret",
            "reusable": bool(wanted.get("reusable")),
            "ephemeral": bool(wanted.get("ephemeral")),
            "used": False,
            "expiration": wanted.get("expiration"),
            "createdAt": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "aclTags": tags,
        }
        self.keys.append({**key, "key": "hskey-auth-test***"})
        return answer(200, {"preAuthKey": key})

    def _node(self, device: Device) -> Json:
        number = self.tailnet.devices.index(device) + 1
        owner = next((each for each in self.tailnet.users if each.login == device.owner), None)
        tagged = {"id": "2147455555", "name": "tagged-devices", "email": "", "createdAt": CREATED}
        return {
            "id": str(number),
            "machineKey": f"mkey:{device.id}",
            "nodeKey": f"nodekey:{device.id}",
            "discoKey": f"discokey:{device.id}",
            "ipAddresses": list(device.addresses),
            "name": device.name,
            "givenName": device.name,
            "user": self._user(owner) if owner else tagged,
            "lastSeen": device.last_seen,
            "expiry": None if device.key_expiry_disabled or device.tags else device.expires,
            "preAuthKey": None,
            "createdAt": CREATED,
            "registerMethod": "REGISTER_METHOD_AUTH_KEY",
            "online": True,
            "approvedRoutes": list(device.routes),
            "availableRoutes": list(device.routes),
            "subnetRoutes": list(device.routes),
            "tags": list(device.tags),
        }

    def _user(self, user: User) -> Json:
        return {
            "id": str(self.tailnet.users.index(user) + 1),
            "name": _name(user),
            "createdAt": CREATED,
            "displayName": "",
            "email": "" if user.login.endswith("@") else user.login,
            "providerId": "",
            "provider": "",
            "profilePicUrl": "",
        }

    def _failed(self, problem: Problem) -> Answer:
        if self.generation == "0.29":
            code, status = problem.code
            return answer(status, {"code": code, "message": str(problem), "details": []})
        said, *causes = problem.parts
        title = HTTPStatus(problem.status).phrase
        errors = {"errors": [{"message": each} for each in causes]} if causes else {}
        shown = answer(
            problem.status, {"title": title, "status": problem.status, "detail": said, **errors}
        )
        return Answer(shown.status, shown.body, {}, "application/problem+json")


def _name(user: User) -> str:
    """A user without an address is written `name@` in policies."""
    return user.login.removesuffix("@").partition("@")[0]


def _words(problem: SyntaxProblem | Refused) -> str:
    """Headscale tells of failed tests in the message itself (hscontrol/policy/v2/test.go)."""
    if isinstance(problem, SyntaxProblem):
        return f"parsing policy: parsing HuJSON: hujson: {problem}"
    lines = [f"{each['user']}: {error}" for each in problem.data for error in _list(each["errors"])]
    return "\n".join([f"{problem.message}:" if lines else problem.message, *lines])


def _list(errors: object) -> list[object]:
    return errors if isinstance(errors, list) else []


def _check_form(tags: list[str]) -> None:
    for tag in tags:
        if not tag.startswith("tag:"):
            raise Problem(INVALID_ARGUMENT, 400, "tag must start with the string 'tag:'")
        if tag.lower() != tag:
            raise Problem(INVALID_ARGUMENT, 400, "tag should be lowercase")
