"""The endpoints of the policy file: get, set, validate and preview."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from tests.controlplane import hujson, policy_tests, validation
from tests.controlplane.credentials import Credential
from tests.controlplane.dialect import Refused
from tests.controlplane.faults import Answer
from tests.controlplane.hujson import Document, Json
from tests.controlplane.packet_filter import Rule, rules, with_port
from tests.controlplane.ports import EVERY
from tests.controlplane.selectors import Selectors, address, kind
from tests.controlplane.serving import Request, answer
from tests.controlplane.shape import check_shape
from tests.controlplane.tailnet import Network

if TYPE_CHECKING:
    from tests.controlplane.server import TailscaleServer

FORBIDDEN = "calling actor does not have enough permissions to perform this function"
MOVED = "precondition failed, invalid old hash"
WARNED = "warning(s) found"


def get(server: TailscaleServer, request: Request, _: Credential) -> Answer:
    """The policy in force: JSON when that is asked for, else the HuJSON as it was posted."""
    if request.query.get("details") in {"1", "true"}:
        found = [f'"{group}": {text}' for group, text in _warnings(server, server.policy)]
        encoded = base64.b64encode(server.policy.encode()).decode()
        return answer(200, {"acl": encoded, "warnings": found, "errors": None}, _etag(server))
    return _policy(server, request)


def post(server: TailscaleServer, request: Request, _: Credential) -> Answer:
    """Replace the policy, when the one in force is still the one that was read."""
    match request.headers.get("if-match"):
        case None:
            pass
        case '"ts-default"' if server.file.untouched:
            pass
        case tag if tag != f'"{server.etag}"':
            return answer(412, {"message": MOVED})
    server.file.set(request.body)
    return _policy(server, request)


def validate(server: TailscaleServer, request: Request, _: Credential) -> Answer:
    """A policy's own tests, or an array of tests on the policy in force. 200 even on failure."""
    body = request.body
    try:
        if hujson.standard(body).lstrip().startswith("["):
            wrapped = hujson.parse(f'{{"tests":{body}}}')
            check_shape(wrapped.value, server.file.dialect)
            current, tests = hujson.parse(server.policy).value, wrapped.value["tests"]
            policy_tests.judge(current, tests, server.tailnet, server.file.dialect)
            return answer(200, {})
        server.file.checked(body)
    except Refused as refusal:
        return answer(200, {"message": refusal.message, "data": list(refusal.data)})
    found: dict[str, list[str]] = {}
    for group, text in _warnings(server, body):
        found.setdefault(group, []).append(text)
    data = [{"user": group, "warnings": texts} for group, texts in found.items()]
    return answer(200, {"message": WARNED, "data": data} if data else {})


def preview(server: TailscaleServer, request: Request, _: Credential) -> Answer:
    """Which rules of a candidate are for a user, or for an address and port."""
    asked, who = request.query.get("type", ""), request.query.get("previewFor", "")
    if asked not in {"user", "ipport"} or not who:
        return answer(400, {"message": "type must be user or ipport, with previewFor"})
    document = hujson.parse(request.body)
    validation.check(document.value, server.file.dialect, server.tailnet.domains)
    selectors = Selectors(document.value, server.tailnet)
    is_for = _names_user if asked == "user" else _reaches
    matches = [
        _match(document, rule) for rule in rules(document.value) if is_for(rule, who, selectors)
    ]
    return answer(200, {"matches": matches, "type": asked, "previewFor": who})


def _policy(server: TailscaleServer, request: Request) -> Answer:
    if "application/json" in request.headers.get("accept", ""):
        plain = json.dumps(hujson.parse(server.policy).value, indent=2)
        return Answer(200, plain, _etag(server))
    return Answer(200, server.policy, _etag(server), "application/hujson")


def _etag(server: TailscaleServer) -> dict[str, str]:
    return {"ETag": f'"{server.etag}"'}


def _warnings(server: TailscaleServer, text: str) -> list[tuple[str, str]]:
    logins = [user.login for user in server.tailnet.users]
    return validation.warnings(hujson.parse(text).value, logins)


def _names_user(rule: Rule, login: str, selectors: Selectors) -> bool:
    return any(login in selectors.logins(each) for each in rule.sources)


def _reaches(rule: Rule, text: str, selectors: Selectors) -> bool:
    host, digits = with_port(text)
    wanted = address(host)
    return any(
        _covers(selectors.targets(target), wanted)
        and any(first <= int(digits or 0) <= last for first, last in numbers)
        for target, numbers, _ in rule.targets
    )


def _covers(networks: tuple[Network, ...], wanted: Network | None) -> bool:
    return wanted is not None and any(wanted.network_address in each for each in networks)


def _match(document: Document, rule: Rule) -> Json:
    written = [
        f"{f'[{target}]' if kind(target) == 'address' and ':' in target else target}:"
        + ",".join(_shown(each) for each in numbers)
        for target, numbers, _ in rule.targets
    ]
    line = document.line(rule.section, rule.index)
    return {"users": list(rule.sources), "ports": written, "lineNumber": line}


def _shown(numbers: tuple[int, int]) -> str:
    first, last = numbers
    return "*" if numbers == EVERY else str(first) if first == last else f"{first}-{last}"
