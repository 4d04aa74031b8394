"""The policy's own `tests`, run against its packet filter.

Shapes that fail the whole file (no single port, no single host, unknown names, nobody asked) were
captured (headscale, hscontrol/policy/v2/testdata/policytest_results). A test of several devices
holds when it holds for each: one that gets through is enough to break a `deny`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.controlplane import ssh
from tests.controlplane.dialect import Dialect, Refused
from tests.controlplane.hujson import Json
from tests.controlplane.packet_filter import PacketFilter, compile_policy, with_port
from tests.controlplane.ports import SCTP, TCP, UDP, BadPorts, protocols
from tests.controlplane.selectors import Selectors, address, kind
from tests.controlplane.tailnet import Tailnet

FAILED = "test(s) failed"

Ends = list[tuple[str, ...]]  # the addresses of each device


def run(policy: Json, tailnet: Tailnet, dialect: Dialect) -> None:
    """Run `tests` and `sshTests` of a policy that is valid otherwise.

    Raises:
        Refused: some failed; its data has the errors of each source.
    """
    judge(policy, policy.get("tests") or (), tailnet, dialect)
    populated = _populated(policy, tailnet, dialect)
    _refuse(ssh.failures(policy, Selectors(policy, populated)))


def judge(policy: Json, tests: Iterable[Json], tailnet: Tailnet, dialect: Dialect) -> None:
    """Run these tests on a policy.

    Raises:
        Refused: some failed.
    """
    populated = _populated(policy, tailnet, dialect)
    compiled = compile_policy(policy, populated)
    selectors = Selectors(policy, populated)
    _refuse(
        (str(test.get("src", test.get("user", ""))), problem)
        for test in tests
        for problem in _problems(test, selectors, compiled)
    )


def _populated(policy: Json, tailnet: Tailnet, dialect: Dialect) -> Tailnet:
    if dialect.tests_need_devices:
        return tailnet
    named = {login for members in policy.get("groups", {}).values() for login in members}
    for section in ("acls", "grants"):
        for rule in policy.get(section) or ():
            everyone = [*(rule.get("src") or ()), *(rule.get("users") or ())]
            named |= {each for each in everyone if kind(each) == "user" and "*" not in each}
    return tailnet.peopled(named, policy.get("tagOwners", {}))


def _refuse(problems: Iterable[tuple[str, str]]) -> None:
    by_source: dict[str, list[str]] = {}
    for source, problem in problems:
        by_source.setdefault(source, []).append(problem)
    if by_source:
        raise Refused(
            FAILED, tuple({"user": who, "errors": errors} for who, errors in by_source.items())
        )


def _problems(test: Json, selectors: Selectors, compiled: PacketFilter) -> Iterator[str]:
    source = str(test.get("src", test.get("user", "")))
    accept = test.get("accept", test.get("allow")) or ()
    deny = test.get("deny") or ()
    if not accept and not deny:
        yield 'test entry must have at least one of "accept" or "deny"'
    try:
        names = _protocols(str(test.get("proto", "")))
        sources = _ends(source, selectors)
    except Refused as refusal:
        yield refusal.message
        return
    for target, wanted in [(one, "Accept") for one in accept] + [(one, "Drop") for one in deny]:
        try:
            host, port = _target(target)
            reached = _reached(sources, _ends(host, selectors), port, names, compiled)
        except Refused as refusal:
            yield f'address "{target}": {refusal.message}'
            continue
        if wanted == "Accept" and not all(reached):
            yield f'address "{target}": want: Accept, got: Drop'
        if wanted == "Drop" and any(reached):
            yield f'address "{target}": want: Drop, got: Accept'


def _reached(
    sources: Ends, targets: Ends, port: int, names: tuple[str, ...], compiled: PacketFilter
) -> list[bool]:
    return [
        any(compiled.connects(source, target, port, name) for name in names)
        for source in sources
        for target in targets
    ]


def _protocols(name: str) -> tuple[str, ...]:
    """What a test asks for: the one named, or either of TCP and UDP."""
    if not name:
        return ("tcp", "udp")
    try:
        (number,) = protocols(name)
    except BadPorts as problem:
        raise Refused(str(problem)) from None
    if number not in {TCP, UDP, SCTP}:
        raise Refused(f'test protocol must be tcp, udp, sctp, or empty: "{name}"')
    return (name,)


def _target(text: str) -> tuple[str, int]:
    """`host:port` of a test: one host and one number."""
    host, digits = with_port(text)
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits) < 65536):
        raise Refused("test destination port must be a single port")
    if "/" in host or kind(host) in {"any", "autogroup", "group", "user"}:
        raise Refused("test destination must be a single host")
    return host, int(digits)


def _ends(selector: str, selectors: Selectors) -> Ends:
    """The devices of one end of a test."""
    named = selectors.policy.get("hosts", {}).get(selector, selector)
    network = address(named)
    if network is not None:
        if network.num_addresses > 1:
            raise Refused("test destination must be a single host, not a CIDR range")
        return [(str(network.network_address),)]
    if not selector or kind(selector) in {"any", "host"}:
        raise Refused(f'"{selector}": invalid address')
    found = [device.addresses for device in selectors.devices(selector)]
    if not found:
        raise Refused(f'"{selector}" resolved to no IP addresses')
    return found
