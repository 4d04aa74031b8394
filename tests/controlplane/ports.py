"""Ports and protocols as rules write them.

Texts of refusals are those that the control plane answered with, as headscale's test data captured
them (hscontrol/policy/v2/testdata) and its port parser repeats them (hscontrol/policy/v2/utils.go).
"""

from __future__ import annotations

TCP, UDP, SCTP, ICMP, ICMPV6 = 6, 17, 132, 1, 58

# What a rule without a protocol is for (captured packet_filter_matches: IPProto [6, 17, 1, 58]).
DEFAULT = frozenset({TCP, UDP, ICMP, ICMPV6})

# Names from the syntax reference of ACLs, numbers from IANA.
NUMBERS = {
    "icmp": ICMP,
    "igmp": 2,
    "ipv4": 4,
    "ip-in-ip": 4,
    "tcp": TCP,
    "egp": 8,
    "igp": 9,
    "udp": UDP,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "ipv6-icmp": ICMPV6,
    "sctp": SCTP,
}
WITH_PORTS = frozenset({TCP, UDP, SCTP})

Range = tuple[int, int]
EVERY: Range = (0, 65535)


class BadPorts(Exception):
    """Ports or a protocol that the control plane refuses; the message is its own."""


def ranges(text: str) -> tuple[Range, ...]:
    """`22`, `80,443`, `8000-8100` or `*`."""
    if text == "*":
        return (EVERY,)
    return tuple(_range(text, part) for part in text.split(","))


def protocols(name: str) -> frozenset[int]:
    """The numbers that `proto` stands for: a name, a number, or empty for the usual ones."""
    if not name:
        return DEFAULT
    if name.lower() in NUMBERS:
        return frozenset({NUMBERS[name.lower()]})
    if not (name.isascii() and name.isdigit()) or name.startswith("0") or int(name) > 255:
        raise BadPorts(
            f'proto name "{name}" not known; '
            "use protocol number 0-255 or protocol name (icmp, tcp, udp, etc.)"
        )
    return frozenset({int(name)})


def entry(text: str) -> tuple[frozenset[int], tuple[Range, ...]]:
    """An `ip` entry of a grant: `*`, `443`, `tcp:443`, `udp:53-60`, `icmp:*`."""
    name, colon, numbers = text.rpartition(":")
    if ":" in name:
        raise BadPorts("expected only one colon in Internet protocol and port type")
    which = protocols(name) if colon else DEFAULT
    return which, checked(name, which, ranges(numbers))


def checked(name: str, which: frozenset[int], numbers: tuple[Range, ...]) -> tuple[Range, ...]:
    """Ports for a protocol that has ports; the others take only `*`."""
    if which != DEFAULT and not which & WITH_PORTS and numbers != (EVERY,):
        raise BadPorts(f'protocol does not support specific ports: "{name}", only "*" is allowed')
    return numbers


def _range(whole: str, part: str) -> Range:
    first, dash, last = part.partition("-")
    low = _number(whole, first, "first")
    high = _number(whole, last, "last") if dash else low
    if low < 1:
        raise BadPorts(f"port range \"{whole}\": first port must be >0, or use '*' for wildcard")
    if high < low:
        raise BadPorts(f'port range "{whole}": last port must be >= first port')
    return low, high


def _number(whole: str, digits: str, which: str) -> int:
    if not (digits.isascii() and digits.isdigit()) or int(digits) > 65535:
        raise BadPorts(f'port range "{whole}": invalid {which} integer')
    return int(digits)
