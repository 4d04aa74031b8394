"""What a policy's tests may name. A test that names anything else fails, and the whole policy with
it [answers of Tailscale's control plane, headscale policy/v2/testdata/policytest_results].
"""

from __future__ import annotations

import ipaddress

from paisctl.policy import port_syntax, ports
from paisctl.policy.document import Policy
from paisctl.policy.world import Address


def source_problem(src: str, policy: Policy) -> str:
    """Why a test cannot have this source: it is no user, group, tag, host or address; else ``."""
    if not src:
        return "src is empty"
    if "@" in src and not src.startswith(("group:", "user:")):
        return ""
    return _name_problem(src, policy)


def protocol_problem(protocol: str) -> str:
    """Why a test cannot ask about this protocol: it has no ports; else ``."""
    try:
        has_ports = not protocol or ports.number_of(protocol) in ports.WITH_PORTS
    except ValueError as error:
        return str(error)
    return "" if has_ports else f'test protocol must be tcp, udp, sctp, or empty: "{protocol}"'


def parsed(target: str, policy: Policy) -> tuple[str, int]:
    """The host (or group, tag, address) and the one port that a target names.

    Raises:
        ValueError: a test cannot have this target; says why.
    """
    host, text = port_syntax.split(target)
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) <= ports.LAST):
        raise ValueError("test destination port must be a single port")
    if address_of(host) and ":" in host and not target.startswith("["):
        raise ValueError("an IPv6 address stands in brackets")
    if "@" in host and not host.startswith("group:"):
        raise ValueError("a user cannot be a test destination")
    problem = _name_problem(host, policy)
    if problem:
        raise ValueError(problem)
    return host, int(text)


def address_of(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _name_problem(name: str, policy: Policy) -> str:
    kind, colon, _ = name.partition(":")
    if kind == "tag" and colon:
        return "" if name in policy.tag_owners else f'tag not found: "{name}"'
    if kind == "group" and colon:
        known = name in policy.groups or "@" in name  # the latter are synced from elsewhere
        return "" if known else f'group not found: "{name}"'
    if name == "*" or kind in ("autogroup", "user", "ipset", "svc"):
        return f'"{name}" is not one user, group, tag, host or address'
    if "/" in name or "/" in policy.hosts.get(name, ""):
        return "a test is about a single host, not a CIDR range"
    known = name in policy.hosts or address_of(name) is not None
    return "" if known else f'host not found: "{name}"'
