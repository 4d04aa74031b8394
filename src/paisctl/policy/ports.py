"""Sets of ports of protocols.

A rule without a protocol means TCP, UDP and ICMP [tailscale tailcfg.FilterRule.IPProto], so SCTP and
others have to be named. Only TCP, UDP and SCTP have ports; of the others a set has all or nothing
[Tailscale docs, "Syntax reference for the tailnet policy file", proto].
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

TCP, UDP, SCTP, ICMP, ICMPV6 = 6, 17, 132, 1, 58
LAST = 65535
WITH_PORTS = (TCP, UDP, SCTP)
UNNAMED = (TCP, UDP, ICMP, ICMPV6)  # what a rule means that names no protocol
NUMBERS = {  # by IANA, as Tailscale names them [Tailscale docs, policy file syntax, proto]
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
    "fc": 133,
}
_NAMES = {number: name for name, number in reversed(NUMBERS.items())}

Span = tuple[int, int]
WHOLE: tuple[Span, ...] = ((1, LAST),)  # 0 is no port that anything listens on


@dataclass(frozen=True, slots=True)
class PortSet:
    """An immutable set of ports of protocols: `spans` by protocol number, sorted and apart."""

    spans: tuple[tuple[int, tuple[Span, ...]], ...] = ()

    @staticmethod
    def of(protocols: Iterable[int], spans: Iterable[Span]) -> PortSet:
        """These ports of each of these protocols; protocols without ports are taken whole."""
        given = list(spans)
        return _made({p: given if p in WITH_PORTS else list(WHOLE) for p in protocols if given})

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __or__(self, other: PortSet) -> PortSet:
        mine, theirs = dict(self.spans), dict(other.spans)
        return _made({p: [*mine.get(p, ()), *theirs.get(p, ())] for p in {*mine, *theirs}})

    def __sub__(self, other: PortSet) -> PortSet:
        theirs = dict(other.spans)
        return _made({p: _without(spans, theirs.get(p, ())) for p, spans in self.spans})

    def contains(self, port: int, protocol: str | int = TCP) -> bool:
        """Whether the port of the protocol is in it; of a protocol without ports any will do."""
        number = protocol if isinstance(protocol, int) else number_of(protocol)
        spans = dict(self.spans).get(number, ())
        return any(low <= port <= high or number not in WITH_PORTS for low, high in spans)

    def __str__(self) -> str:
        """For example `tcp 22, 80-90; udp 53`; `*` for all that `*` means in a rule.

        ICMP is only named where it is alone: it is allowed wherever anything is.
        """
        if self == EVERYTHING:
            return "*"
        spans = dict(self.spans)
        pings = {p for p in (ICMP, ICMPV6) if p in spans}
        if spans.keys() - pings:
            pings = set()
        named = sorted(p for p in spans if p not in (ICMP, ICMPV6))
        said = [f"{_NAMES.get(p, p)}{_said(spans[p]) if p in WITH_PORTS else ''}" for p in named]
        return "; ".join([*said, *(["icmp"] if pings else [])]) or "nothing"


def number_of(protocol: str) -> int:
    """The number of a protocol that is given by name, in any case, or by number.

    Raises:
        ValueError: there is no such protocol.
    """
    name = protocol.lower()
    if name in NUMBERS:
        return NUMBERS[name]
    if not (name.isascii() and name.isdigit()):
        raise ValueError(
            f'proto name "{protocol}" not known; '
            "use protocol number 0-255 or protocol name (icmp, tcp, udp, etc.)"
        )
    if name.startswith("0"):
        raise ValueError(f'leading 0 not permitted in protocol number: "{protocol}"')
    if int(name) > 255:
        raise ValueError(f"protocol number out of range (0-255): {protocol}")
    return int(name)


def _made(spans: Mapping[int, Iterable[Span]]) -> PortSet:
    merged = ((protocol, _merged(given)) for protocol, given in sorted(spans.items()))
    return PortSet(tuple((protocol, kept) for protocol, kept in merged if kept))


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for low, high in sorted(spans):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _without(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    left = list(spans)
    for first, last in holes:
        left = [
            piece
            for low, high in left
            for piece in ((low, min(high, first - 1)), (max(low, last + 1), high))
            if piece[0] <= piece[1]
        ]
    return left


def _said(spans: tuple[Span, ...]) -> str:
    if spans == WHOLE:
        return " *"
    return " " + ", ".join(f"{low}" if low == high else f"{low}-{high}" for low, high in spans)


NOTHING = PortSet()
EVERYTHING = PortSet.of(UNNAMED, WHOLE)
