"""How rules write ports: grants as `tcp:80,443`, the older rules as `80,443` beside a `proto`."""

from __future__ import annotations

from paisctl.policy.ports import LAST, UNNAMED, WHOLE, WITH_PORTS, PortSet, Span, number_of


def of_grant(entry: str) -> PortSet:
    """The ports that an item of a grant's `ip` stands for: `*`, `443`, `tcp:443`, `udp:53-60`.

    Raises:
        ValueError: it is none; in the control plane's words where they are known.
    """
    protocol, colon, ports = entry.rpartition(":")
    if ":" in protocol:
        raise ValueError("expected only one colon in Internet protocol and port type")
    if colon and not protocol:
        raise ValueError(f'"{entry}" names no protocol before the colon')
    return of_rule(ports, protocol)


def of_rule(ports: str, protocol: str = "") -> PortSet:
    """The ports of a list as `22`, `80,443`, `8000-8100` or `*`; no protocol means the usual ones.

    Raises:
        ValueError: as in `of_grant`.
    """
    protocols = (number_of(protocol),) if protocol else UNNAMED
    spans = [_span(part) for part in ports.split(",")]
    if protocols[0] not in WITH_PORTS and spans != list(WHOLE):
        raise ValueError(
            f'protocol does not support specific ports: "{protocol}", only "*" is allowed'
        )
    return PortSet.of(protocols, spans)


def _span(text: str) -> Span:
    if text == "*":
        return WHOLE[0]
    first, dash, last = text.partition("-")
    low, high = _port(first), _port(last if dash else first)
    if low is None:
        raise ValueError(f'port range "{text}": invalid first integer')
    if high is None:
        raise ValueError(f'port range "{text}": invalid last integer')
    if low == 0:
        raise ValueError(f"port range \"{text}\": first port must be >0, or use '*' for wildcard")
    if low > high:
        raise ValueError(f'port range "{text}": the first port is above the last')
    return low, high


def _port(text: str) -> int | None:
    plain = text.isascii() and text.isdigit() and len(text) <= 5
    return int(text) if plain and int(text) <= LAST else None


def split(target: str) -> tuple[str, str]:
    """A selector with ports, as `tag:web:80` or `[fd7a::1]:80`, as the two.

    What stands behind the last colon are the ports, even if it is part of a name: that is how the
    control plane takes `autogroup:self` without ports.
    """
    selector, _, ports = target.rpartition(":")
    return selector.strip("[]"), ports


def is_protocol(name: str) -> bool:
    """Whether a protocol has this name or number."""
    try:
        number_of(name)
    except ValueError:
        return False
    return True
