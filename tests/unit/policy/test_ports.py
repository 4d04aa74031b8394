"""Sets of ports, against sets of numbers; and how rules write them."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paisctl.policy import port_syntax
from paisctl.policy.ports import (
    EVERYTHING,
    ICMP,
    LAST,
    NOTHING,
    SCTP,
    TCP,
    UDP,
    WITH_PORTS,
    PortSet,
)

# Few enough ports that spans touch and overlap, and those at the ends.
PORTS = [*range(1, 25), LAST - 1, LAST]
PROTOCOLS = [TCP, UDP, SCTP, ICMP, 47]
Naive = frozenset[tuple[int, int]]

spans = st.tuples(st.sampled_from(PORTS), st.sampled_from(PORTS)).map(
    lambda ends: (min(ends), max(ends))
)
pieces = st.lists(st.tuples(st.sampled_from(PROTOCOLS), st.lists(spans, max_size=4)), max_size=5)


def naive(given_pieces: list[tuple[int, list[tuple[int, int]]]]) -> Naive:
    """Protocol and port for each that is in; port 0 alone for protocols without ports."""
    return frozenset(
        (protocol, port)
        for protocol, given_spans in given_pieces
        for low, high in given_spans
        for port in (PORTS if protocol in WITH_PORTS else [0])
        if protocol not in WITH_PORTS or low <= port <= high
    )


def made(given_pieces: list[tuple[int, list[tuple[int, int]]]]) -> PortSet:
    result = NOTHING
    for protocol, given_spans in given_pieces:
        result |= PortSet.of([protocol], given_spans)
    return result


def seen(ports: PortSet) -> Naive:
    return frozenset(
        (protocol, port)
        for protocol in PROTOCOLS
        for port in (PORTS if protocol in WITH_PORTS else [0])
        if ports.contains(port, protocol)
    )


@given(pieces)
def test_a_set_holds_what_was_put_in(one: list[tuple[int, list[tuple[int, int]]]]) -> None:
    assert seen(made(one)) == naive(one)


@given(pieces, pieces)
def test_union_and_difference(
    one: list[tuple[int, list[tuple[int, int]]]], other: list[tuple[int, list[tuple[int, int]]]]
) -> None:
    assert seen(made(one) | made(other)) == naive(one) | naive(other)
    assert seen(made(one) - made(other)) == naive(one) - naive(other)


@given(pieces, pieces)
def test_laws_of_sets(
    one: list[tuple[int, list[tuple[int, int]]]], other: list[tuple[int, list[tuple[int, int]]]]
) -> None:
    a, b = made(one), made(other)
    assert (a - b) | b == a | b
    assert a - a == NOTHING
    assert a | b == b | a
    assert (a | b == b) == (not a - b)  # equal sets are equal values


@given(pieces)
def test_spans_are_sorted_and_apart(one: list[tuple[int, list[tuple[int, int]]]]) -> None:
    for _, kept in made(one).spans:
        assert all(low <= high for low, high in kept)
        assert all(a[1] + 1 < b[0] for a, b in itertools.pairwise(kept))


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (["tcp:22", "tcp:80-90", "udp:53"], "tcp 22, 80-90; udp 53"),
        (["tcp:80", "tcp:81", "tcp:82-90"], "tcp 80-90"),
        (["*"], "*"),
        (["tcp:*"], "tcp *"),
        (["443"], "tcp 443; udp 443"),
        (["icmp:*"], "icmp"),
        (["ipv6-icmp:*"], "icmp"),
        (["icmp:*", "tcp:1"], "tcp 1"),
        (["47:*", "99:*"], "gre; 99"),
        (["sctp:5"], "sctp 5"),
        (["1-65535"], "*"),
        ([], "nothing"),
    ],
)
def test_how_a_set_is_printed(entries: list[str], said: str) -> None:
    ports = NOTHING
    for entry in entries:
        ports |= port_syntax.of_grant(entry)
    assert str(ports) == said


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("ssh", 'port range "ssh": invalid first integer'),
        ("icmp", 'port range "icmp": invalid first integer'),
        ("", 'port range "": invalid first integer'),
        ("tcp:", 'port range "": invalid first integer'),
        ("tcp:0", "port range \"0\": first port must be >0, or use '*' for wildcard"),
        ("0-5", "port range \"0-5\": first port must be >0, or use '*' for wildcard"),
        ("80-", 'port range "80-": invalid last integer'),
        ("80-x", 'port range "80-x": invalid last integer'),
        ("-80", 'port range "-80": invalid first integer'),
        ("90-80", 'port range "90-80": the first port is above the last'),
        ("65536", 'port range "65536": invalid first integer'),
        ("999999999999", 'port range "999999999999": invalid first integer'),
        ("٨٠", 'port range "٨٠": invalid first integer'),
        ("80, 443", 'port range " 443": invalid first integer'),
        (":80", '":80" names no protocol before the colon'),
        ("tcp:80:90", "expected only one colon in Internet protocol and port type"),
        ("*:80", 'proto name "*" not known; use protocol number 0-255'),
        ("http:80", 'proto name "http" not known; use protocol number 0-255'),
        ("256:*", "protocol number out of range (0-255): 256"),
        ("06:80", 'leading 0 not permitted in protocol number: "06"'),
        ("icmp:8", 'protocol does not support specific ports: "icmp", only "*" is allowed'),
        ("47:1-2", 'protocol does not support specific ports: "47", only "*" is allowed'),
    ],
)
def test_what_is_no_port_is_refused(entry: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        port_syntax.of_grant(entry)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("tag:web:80,443", ("tag:web", "80,443")),
        ("*:*", ("*", "*")),
        ("[fd7a:115c:a1e0::1]:22", ("fd7a:115c:a1e0::1", "22")),
        ("10.0.0.0/8:22", ("10.0.0.0/8", "22")),
        ("user@example.com:22", ("user@example.com", "22")),
        ("autogroup:self", ("autogroup", "self")),
        ("web", ("", "web")),
    ],
)
def test_a_destination_is_split_at_its_last_colon(target: str, parts: tuple[str, str]) -> None:
    assert port_syntax.split(target) == parts


def test_everything_is_what_a_star_means() -> None:
    assert port_syntax.of_grant("*") == EVERYTHING
    assert not EVERYTHING.contains(80, "sctp")
